/* digits.c - rendered digits (see digits.h).
 *
 * A digit is a few strokes, lines and cubic Bezier curves on a field of 100 x 100. Its points are moved a
 * little, each on its own, then all by one affine map onto the image; a pixel's brightness falls with its
 * distance from the nearest stroke. Only + - * / and sqrt are used, so that the bytes are the same on
 * every machine with IEEE arithmetic (given -ffp-contract=off). */
#include "digits.h"

#include <math.h>

#include "draws.h"
#include "payload.h"
#include "writer.h"

enum { SIDE = TARE_DIGITS_SIDE, PIXELS = SIDE * SIDE, CLASSES = TARE_DIGITS_CLASSES, STYLES = 3, CURVE_STEPS = 10 };

/* M x y: the pen goes there; L x y: a line; C x y x y x y: a curve (two control points, the end). x to the
 * right, y down. */
static const char *const strokes[CLASSES][STYLES] = {
    {"M50 5 C22 5 15 30 15 50 C15 75 25 95 50 95 C75 95 85 75 85 50 C85 28 78 5 50 5",
     "M60 8 C35 8 25 40 25 60 C25 82 35 94 48 94 C68 94 76 60 76 42 C76 22 70 8 55 8",
     "M70 12 C50 0 18 18 18 52 C18 80 32 95 52 95 C78 95 84 66 82 44 C80 24 66 10 46 10"},
    {"M50 5 L50 95", "M32 24 L54 5 L54 95", "M32 24 L52 5 L52 95 M30 95 L74 95"},
    {"M20 28 C22 8 42 4 56 6 C80 10 82 34 68 50 C56 64 34 78 20 94 L84 94",
     "M22 24 C34 2 74 2 74 28 C74 56 44 74 26 88 C16 96 12 82 26 80 C44 78 60 96 86 90",
     "M18 20 L60 8 C84 12 78 42 60 56 L18 92 L82 88"},
    {"M22 14 C40 0 78 4 76 28 C74 46 54 48 44 48 C62 48 82 54 80 74 C76 98 36 98 18 84",
     "M20 8 L76 8 L46 42 C72 42 84 58 80 76 C74 98 34 98 18 84",
     "M24 20 C30 4 70 2 70 24 C70 40 56 46 46 48 C66 46 78 60 74 76 C68 96 36 98 22 80"},
    {"M62 5 L14 64 L86 64 M64 36 L64 95", "M24 8 L20 52 L78 52 M72 8 L68 95",
     "M58 6 C44 30 28 48 16 62 C38 58 62 60 84 60 M62 6 L58 95"},
    {"M78 8 L30 8 L26 44 C44 34 80 38 80 66 C80 96 40 100 18 84",
     "M28 8 L24 46 C42 38 78 40 76 68 C74 94 40 98 20 86 M28 8 L76 10",
     "M72 6 C56 10 42 8 30 10 C28 22 26 32 26 42 C52 36 76 46 74 68 C72 92 42 98 22 88"},
    {"M70 6 C44 14 22 42 20 68 C20 90 38 96 52 95 C72 94 82 80 78 66 C74 50 40 46 22 70",
     "M58 5 C40 28 28 52 28 74 C30 96 68 100 72 76 C74 56 44 54 30 72",
     "M76 14 C50 0 20 34 20 64 C20 88 40 96 54 94 C76 92 80 64 62 56 C44 50 26 62 22 74"},
    {"M16 10 L82 10 L42 95", "M16 10 L82 10 C66 34 50 62 46 95 M34 52 L74 52",
     "M18 22 L20 10 L80 8 C68 36 52 60 40 95"},
    {"M50 48 C24 42 24 6 50 5 C76 6 76 42 50 48 C16 56 16 95 50 95 C84 95 84 56 50 48",
     "M74 16 C62 0 28 4 28 24 C30 46 76 52 74 76 C72 98 26 98 26 76 C26 54 72 44 74 16",
     "M50 46 C30 40 34 8 54 6 C74 8 70 38 50 46 C24 58 22 94 46 95 C76 94 76 58 50 46"},
    {"M76 30 C72 6 24 4 24 32 C26 58 70 54 76 30 C78 54 74 80 66 95",
     "M74 26 C66 2 26 8 26 34 C28 54 66 54 74 26 L74 95",
     "M76 28 C70 2 22 10 26 36 C30 58 70 50 76 28 C80 62 66 96 30 92"},
};

/* How much images differ; the difficulty that digits.h promises was set with these. Most images are tame, a
 * few are wild: the spreads are multiplied by tame + (wild - tame) u^6, u uniform. Without the few, a net that
 * has seen enough would make no mistakes; were all alike, one that has seen little would make too many.
 * Lengths are in pixels. */
static const double tame = 0.5, wild = 2.5;
static const double point_spread = 4;  /* of a point's own move, on the field of 100 */
static const double turn_spread = 0.1; /* tangent of half the angle: 11 degrees either way */
static const double shear_spread = 0.2;
static const double move_spread = 1.13;
static const double grain_spread = 57; /* standard deviation of the noise, at most */
static const double size_low = 17, size_high = 20;
static const double width_low = 0.7, width_high = 0.9; /* of the size */
static const double pen_low = 0.7, pen_high = 1.5;     /* half a stroke's thickness */
static const double edge = 0.6;                        /* half the width over which a stroke fades */
static const double ink_low = 170, ink_high = 255;
static const double fade_spread = 0.02; /* of the ink, a pixel to the right or down */

typedef struct {
    double x, y;
} point;

/* One image in the making. */
typedef struct {
    draws draws;
    double wildness;             /* multiplies the spreads */
    double xx, xy, yx, yy, x, y; /* field to image */
    double reach;                /* beyond this distance from a stroke there is no ink */
    double near_squared[PIXELS]; /* distance to the nearest stroke; pixel centres are at whole numbers */
} canvas;

/* The rotation by t = tan(angle / 2) is ((1 - t^2), -2t; 2t, (1 - t^2)) / (1 + t^2). */
static void choose_map(canvas *c)
{
    draws *d = &c->draws;
    double turn = turn_spread * c->wildness, skew = shear_spread * c->wildness, move = move_spread * c->wildness;
    double t = draw_between(d, -turn, turn), size = draw_between(d, size_low, size_high) / 100;
    double wide = size * draw_between(d, width_low, width_high), shear = draw_between(d, -skew, skew);
    double cosine = (1 - t * t) / (1 + t * t), sine = 2 * t / (1 + t * t);
    c->xx = wide * cosine;
    c->xy = size * (-shear * cosine - sine);
    c->yx = wide * sine;
    c->yy = size * (cosine - shear * sine);
    c->x = (SIDE - 1) / 2.0 + draw_between(d, -move, move);
    c->y = (SIDE - 1) / 2.0 + draw_between(d, -move, move);
}

/* Two whole numbers from the text, as a point of the image, moved a little. */
static point read_point(canvas *c, const char **text)
{
    int coordinate[2];
    for (int i = 0; i < 2; ++i) {
        while (**text == ' ')
            ++*text;
        for (coordinate[i] = 0; **text >= '0' && **text <= '9'; ++*text)
            coordinate[i] = 10 * coordinate[i] + (**text - '0');
    }
    double x = coordinate[0] - 50 + point_spread * c->wildness * draw_bell(&c->draws);
    double y = coordinate[1] - 50 + point_spread * c->wildness * draw_bell(&c->draws);
    return (point){c->x + c->xx * x + c->xy * y, c->y + c->yx * x + c->yy * y};
}

static int clamp_index(double x)
{
    return x < 0 ? 0 : x > SIDE - 1 ? SIDE - 1 : (int)x;
}

/* Lowers near_squared around the line from a to b. */
static void draw_line(canvas *c, point a, point b)
{
    double dx = b.x - a.x, dy = b.y - a.y, squared = dx * dx + dy * dy;
    int left = clamp_index((a.x < b.x ? a.x : b.x) - c->reach),
        right = clamp_index((a.x > b.x ? a.x : b.x) + c->reach + 1);
    int top = clamp_index((a.y < b.y ? a.y : b.y) - c->reach),
        bottom = clamp_index((a.y > b.y ? a.y : b.y) + c->reach + 1);
    for (int y = top; y <= bottom; ++y)
        for (int x = left; x <= right; ++x) {
            double px = x - a.x, py = y - a.y, along = squared > 0 ? (px * dx + py * dy) / squared : 0;
            along = along < 0 ? 0 : along > 1 ? 1 : along;
            double ex = px - along * dx, ey = py - along * dy, distance = ex * ex + ey * ey;
            double *near = &c->near_squared[y * SIDE + x];
            *near = distance < *near ? distance : *near;
        }
}

static void draw_curve(canvas *c, point a, point b, point to_c, point to_d)
{
    point last = a;
    for (int i = 1; i <= CURVE_STEPS; ++i) {
        double t = (double)i / CURVE_STEPS, s = 1 - t;
        double wa = s * s * s, wb = 3 * s * s * t, wc = 3 * s * t * t, wd = t * t * t;
        point next = {wa * a.x + wb * b.x + wc * to_c.x + wd * to_d.x, wa * a.y + wb * b.y + wc * to_c.y + wd * to_d.y};
        draw_line(c, last, next);
        last = next;
    }
}

static void draw_strokes(canvas *c, const char *text)
{
    point pen = {0, 0};
    while (*text) {
        char what = *text++;
        point next = {0, 0};
        if (what == 'C') {
            point first = read_point(c, &text), second = read_point(c, &text);
            next = read_point(c, &text);
            draw_curve(c, pen, first, second, next);
        } else if (what == 'M' || what == 'L') {
            next = read_point(c, &text);
            if (what == 'L')
                draw_line(c, pen, next);
        } else {
            continue;
        }
        pen = next;
    }
}

static void render(uint64_t seed, uint64_t stream, int digit, unsigned char pixels[PIXELS])
{
    canvas c = {.draws = {.seed = seed, .stream = stream}};
    draws *d = &c.draws;
    for (int i = 0; i < PIXELS; ++i)
        c.near_squared[i] = SIDE * SIDE;
    double u = draw_between(d, 0, 1), u3 = u * u * u;
    c.wildness = tame + (wild - tame) * u3 * u3;
    choose_map(&c);
    double pen = draw_between(d, pen_low, pen_high), ink = draw_between(d, ink_low, ink_high);
    double fade_x = draw_between(d, -fade_spread, fade_spread), fade_y = draw_between(d, -fade_spread, fade_spread);
    double grain = draw_between(d, 0, grain_spread * c.wildness);
    c.reach = pen + edge;
    draw_strokes(&c, strokes[digit][draw_word(d) % STYLES]);
    for (int i = 0; i < PIXELS; ++i) {
        double cover = (pen + edge - sqrt(c.near_squared[i])) / (2 * edge);
        cover = cover < 0 ? 0 : cover > 1 ? 1 : cover;
        double fade = 1 + fade_x * (i % SIDE - SIDE / 2) + fade_y * (i / SIDE - SIDE / 2);
        double value = cover * ink * fade + grain * draw_bell(d);
        pixels[i] = (unsigned char)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5);
    }
}

/* The images and labels of one part (0 training, 1 test) through two open writers. */
static tare_status put_part(tare_memory *memory, tare_writer *images, tare_writer *labels, int part, uint64_t seed,
                            int64_t count)
{
    int64_t *order = tare_memory_take_zeroed(memory, TARE_MEMORY_INPUT, (size_t)count, sizeof *order);
    if (!order)
        return TARE_NO_MEMORY;
    tare_random_permutation(order, count, seed, (uint64_t)part);
    tare_status status = tare__idx_put_header(images, TARE_U8, 3, (int64_t[]){count, SIDE, SIDE});
    if (status == TARE_OK)
        status = tare__idx_put_header(labels, TARE_U8, 1, &count);
    for (int64_t i = 0; i < count && status == TARE_OK; ++i) {
        unsigned char pixels[PIXELS], digit = (unsigned char)(order[i] % CLASSES);
        render(seed, (uint64_t)(part + 1) << 48 | (uint64_t)i, digit, pixels);
        status = tare_writer_put(images, pixels, sizeof pixels);
        if (status == TARE_OK)
            status = tare_writer_put(labels, &digit, 1);
    }
    tare_memory_give(memory, TARE_MEMORY_INPUT, order, (size_t)count * sizeof *order);
    return status;
}

tare_status tare_digits_write(tare_memory *memory, const char *folder, uint64_t seed, int64_t count)
{
    static const char *const names[4] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                         "t10k-labels-idx1-ubyte"};
    if (count < 1 || count > UINT32_MAX)
        return tare_error(TARE_BAD_ARGUMENT, "digits: a count of %lld is not in 1..%u", (long long)count, UINT32_MAX);
    tare_writer writers[4];
    tare_status status = tare_writer_open_all(writers, memory, folder, names, 4);
    if (status)
        return status;
    status = put_part(memory, &writers[0], &writers[1], 0, seed, count);
    int64_t n_test = (count + 3) / 6;
    if (status == TARE_OK)
        status = put_part(memory, &writers[2], &writers[3], 1, seed, n_test < 1 ? 1 : n_test);
    if (status == TARE_OK)
        return tare_writer_close_all(writers, 4);
    tare_writer_abandon_all(writers, 4);
    return status;
}

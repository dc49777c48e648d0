/* shapes.c - rendered shapes with a texture (see shapes.h).
 *
 * A pixel is the mean of SAMPLES x SAMPLES points. A point is mapped onto the shape's own square [-1,1]^2 by a turn and
 * a scale; inside the shape it has one of two colours, by a texture with a turn and a scale of its own, outside that of
 * the ground. Only + - * / are used, so that the bytes are the same on every machine with IEEE arithmetic (given
 * -ffp-contract=off). */
#include "shapes.h"

#include <stdbool.h>
#include <string.h>

#include "cifar.h"
#include "draws.h"
#include "writer.h"

enum { SIDE = TARE_CIFAR_SIDE, CHANNELS = TARE_CIFAR_CHANNELS, SHAPES = 5, SAMPLES = 2 };
enum { N_FILES = TARE_CIFAR_BATCHES + 2, TEST_FILE = TARE_CIFAR_BATCHES, NAMES_FILE };

static const char class_names[] = "striped disc\nstriped square\nstriped triangle\nstriped cross\nstriped ring\n"
                                  "checked disc\nchecked square\nchecked triangle\nchecked cross\nchecked ring\n";

/* How much images differ. Lengths are in pixels. */
static const double size_low = 9, size_high = 14; /* half the shape's square */
static const double move_spread = 4;
static const double cell_low = 2.2, cell_high = 3.6; /* a stripe's width, a check's side */
static const double contrast = 60;                   /* least sum of differences between two colours' channels */
static const double light_spread = 0.015;            /* a pixel to the right or down */
static const double grain_spread = 14;               /* standard deviation of the noise, at most */

static double magnitude(double x)
{
    return x < 0 ? -x : x;
}

/* Whether (u,v) lies in the shape, which fills about [-1,1]^2; v down. */
static bool is_inside(int shape, double u, double v)
{
    const double across = magnitude(u), along = magnitude(v), squared = u * u + v * v;
    switch (shape) {
    case 0:
        return squared < 0.9;
    case 1:
        return across < 0.8 && along < 0.8;
    case 2:
        return v < 0.75 && across < (v + 0.95) * 0.58;
    case 3:
        return (across < 0.32 && along < 0.95) || (along < 0.32 && across < 0.95);
    default:
        return squared < 1 && squared > 0.3;
    }
}

/* Which of the two colours a texture has at (u,v), in cells: stripes, or checks. */
static bool is_dark(bool checked, double u, double v)
{
    const int64_t column = (int64_t)(u + 1000), row = (int64_t)(v + 1000); /* above 0, so this rounds down */
    return (column + (checked ? row : 0)) % 2 == 0;
}

/* (x,y) to (u,v): a turn, a scale, a move. */
typedef struct {
    double xx, xy, yx, yy, x, y;
} map;

/* Any turn, as (1 - t^2, 2 t) / (1 + t^2) and its mirror image; `size` pixels are 1. */
static map choose_map(draws *d, double size, double move)
{
    double t = draw_between(d, -1, 1), sign = draw_word(d) % 2 ? 1 : -1;
    double cosine = sign * (1 - t * t) / (1 + t * t) / size, sine = 2 * t / (1 + t * t) / size;
    return (map){cosine,
                 -sine,
                 sine,
                 cosine,
                 SIDE / 2.0 + draw_between(d, -move, move),
                 SIDE / 2.0 + draw_between(d, -move, move)};
}

static void apply(const map *m, double x, double y, double *u, double *v)
{
    *u = m->xx * (x - m->x) + m->xy * (y - m->y);
    *v = m->yx * (x - m->x) + m->yy * (y - m->y);
}

/* Three colours, any two of which differ enough to be seen. */
static void choose_colours(draws *d, double colour[3][CHANNELS])
{
    for (int i = 0; i < 3;) {
        for (int c = 0; c < CHANNELS; ++c)
            colour[i][c] = draw_between(d, 20, 235);
        bool distinct = true;
        for (int j = 0; j < i; ++j) {
            double off = 0;
            for (int c = 0; c < CHANNELS; ++c)
                off += magnitude(colour[i][c] - colour[j][c]);
            distinct &= off > contrast;
        }
        i += distinct;
    }
}

/* How many of a pixel's points have each colour: of the ground, light, dark. */
static void count_points(int class_, const map *shape, const map *texture, int x, int y, int points[3])
{
    memset(points, 0, 3 * sizeof *points);
    for (int i = 0; i < SAMPLES * SAMPLES; ++i) {
        double px = x + (i % SAMPLES + 0.5) / SAMPLES, py = y + (i / SAMPLES + 0.5) / SAMPLES, u, v;
        apply(shape, px, py, &u, &v);
        int which = 0;
        if (is_inside(class_ % SHAPES, u, v)) {
            apply(texture, px, py, &u, &v);
            which = is_dark(class_ >= SHAPES, u, v) ? 2 : 1;
        }
        ++points[which];
    }
}

static void render(uint64_t seed, uint64_t stream, int class_, unsigned char pixels[TARE_CIFAR_PIXELS])
{
    draws d = {.seed = seed, .stream = stream};
    double colour[3][CHANNELS];
    const map shape = choose_map(&d, draw_between(&d, size_low, size_high), move_spread);
    const map texture = choose_map(&d, draw_between(&d, cell_low, cell_high), size_high);
    choose_colours(&d, colour);
    const double right = draw_between(&d, -light_spread, light_spread),
                 down = draw_between(&d, -light_spread, light_spread), grain = draw_between(&d, 0, grain_spread);
    for (int i = 0; i < SIDE * SIDE; ++i) {
        int points[3];
        count_points(class_, &shape, &texture, i % SIDE, i / SIDE, points);
        const double light = 1 + right * (i % SIDE - SIDE / 2) + down * (i / SIDE - SIDE / 2);
        for (int c = 0; c < CHANNELS; ++c) {
            double value = 0;
            for (int k = 0; k < 3; ++k)
                value += points[k] * colour[k][c] / (SAMPLES * SAMPLES);
            value = value * light + grain * draw_bell(&d);
            pixels[c * SIDE * SIDE + i] = (unsigned char)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5);
        }
    }
}

/* Records of one part (0 training, 1 test), cut into n_files runs of about equal length. */
static tare_status put_part(tare_memory *memory, tare_writer *files, int n_files, int part, uint64_t seed,
                            int64_t count)
{
    int64_t *order = tare_memory_take_zeroed(memory, TARE_MEMORY_INPUT, (size_t)count, sizeof *order);
    if (!order)
        return TARE_NO_MEMORY;
    tare_random_permutation(order, count, seed, (uint64_t)part);
    tare_status status = TARE_OK;
    for (int64_t i = 0; i < count && status == TARE_OK; ++i) {
        unsigned char record[1 + TARE_CIFAR_PIXELS] = {(unsigned char)(order[i] % TARE_CIFAR_CLASSES)};
        render(seed, (uint64_t)(part + 1) << 48 | (uint64_t)i, record[0], record + 1);
        status = tare_writer_put(&files[i * n_files / count], record, sizeof record);
    }
    tare_memory_give(memory, TARE_MEMORY_INPUT, order, (size_t)count * sizeof *order);
    return status;
}

tare_status tare_shapes_write(tare_memory *memory, const char *folder, uint64_t seed, int64_t count)
{
    static const char *const names[N_FILES] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                               "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin",
                                               "batches.meta.txt"};
    if (count < TARE_CIFAR_BATCHES || count > UINT32_MAX)
        return tare_error(TARE_BAD_ARGUMENT, "cifar: a count of %lld is not in %d..%u", (long long)count,
                          TARE_CIFAR_BATCHES, UINT32_MAX);
    tare_writer files[N_FILES];
    tare_status status = tare_writer_open_all(files, memory, folder, names, N_FILES);
    if (status)
        return status;
    status = put_part(memory, files, TARE_CIFAR_BATCHES, 0, seed, count);
    if (status == TARE_OK)
        status = put_part(memory, &files[TEST_FILE], 1, 1, seed, count / 5);
    if (status == TARE_OK)
        status = tare_writer_put(&files[NAMES_FILE], class_names, sizeof class_names - 1);
    if (status == TARE_OK)
        return tare_writer_close_all(files, N_FILES);
    tare_writer_abandon_all(files, N_FILES);
    return status;
}

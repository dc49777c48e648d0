/* test_plan_brute.c - plans of small random programs against brute force: no packing of their blocks is lower.
 *
 * Some order of the blocks, each laid as low as those before it let it, gives the least height there is: lowering the
 * blocks of a best packing one by one, lowest first, makes one of that form. So with few blocks all orders are tried.
 * The programs fan out, join, take views, broadcast, reduce, write in place, update parameters (ties) and need
 * workspaces; the plan says which blocks there are, the checker (in every plan) that their lives are long enough. */
#include "programs.h"

enum { MOST_BLOCKS = 8, ROWS = 3, WIDTH = 40 };

typedef struct {
    const tare_plan_block *block;
    int n, order[MOST_BLOCKS];
    int64_t at[MOST_BLOCKS], least;
} packing;

static bool meet(const tare_plan_block *a, const tare_plan_block *b)
{
    return a->lower < b->upper && b->lower < a->upper;
}

/* The lowest offset of a block beside those laid already. */
static int64_t lowest(const packing *p, int laid, int which)
{
    int64_t at = 0;
    for (int k = 0; k < laid; ++k) {
        const tare_plan_block *other = &p->block[p->order[k]];
        if (meet(other, &p->block[which]) && at < p->at[k] + other->bytes && p->at[k] < at + p->block[which].bytes) {
            at = p->at[k] + other->bytes;
            k = -1; /* what lies higher may be met now */
        }
    }
    return at;
}

static void lay(packing *p, int laid, unsigned left, int64_t height)
{
    if (height >= p->least)
        return;
    if (!left) {
        p->least = height;
        return;
    }
    for (int b = 0; b < p->n; ++b)
        if (left >> b & 1) {
            p->order[laid] = b;
            p->at[laid] = lowest(p, laid, b);
            int64_t top = p->at[laid] + p->block[b].bytes;
            lay(p, laid + 1, left & ~(1u << b), top > height ? top : height);
        }
}

static tare_value *any(program_builder *b)
{
    return b->list[program_below(b, b->n)];
}

/* One more value; all have WIDTH columns, so rows are 1 or what joins made of them. */
static tare_value *applied(program_builder *b, tare_value *weight)
{
    tare_mode *m = b->m;
    tare_value *x = any(b), *y = any(b);
    const bool alike = x->d.dim[0] == y->d.dim[0] || x->d.dim[0] == 1 || y->d.dim[0] == 1;
    switch (program_below(b, 7)) {
    case 0:
        return tare_relu(m, x);
    case 1:
        return alike ? tare_mul(m, x, y) : tare_tanh(m, x);
    case 2:
        return alike ? tare_add(m, x, y) : tare_relu(m, y);
    case 3:
        return tare_concat(m, (tare_value *const[]){x, y}, 2, (tare_concat_attr){0});
    case 4:
        return tare_sum(m, x, (tare_sum_attr){.axes = {1, {0}}, .keep_dims = true});
    case 5:
        return tare_matmul(m, x, weight, (tare_matmul_attr){.transpose_b = true});
    default:
        return tare_slice(m, x, (tare_slice_attr){.axis = 0, .begin = 0, .end = 1, .step = 1});
    }
}

/* Captures program `number` and plans it; how many blocks it has, 0: more than are tried. */
static int compare(tare_runtime *rt, uint64_t number)
{
    program_builder b = {.state = number};
    tare_graph *g;
    tare_plan *plan;
    const tare_desc rows = tare_desc_of(TARE_F32, 2, (const int64_t[]){ROWS, WIDTH}),
                    square = tare_desc_of(TARE_F32, 2, (const int64_t[]){WIDTH, WIDTH});
    must(tare_graph_new(rt, &g));
    b.m = tare_graph_mode(g);
    b.list[b.n++] = tare_graph_input(g, &rows, "x");
    b.list[b.n++] = tare_graph_input(g, &rows, "y");
    tare_value *weight = tare_graph_input(g, &square, "w");
    const bool trains = number % 2;
    b.m->recording = trains;
    tare_value_want_gradient(weight, trains);
    for (int n = 2 + (int)program_below(&b, 5); n > 0; --n) {
        tare_value *made = applied(&b, weight);
        b.list[b.n++] = made;
    }
    tare_value *y = b.list[b.n - 1];
    if (trains)
        y = tare_sum(b.m, tare_matmul(b.m, y, weight, (tare_matmul_attr){.transpose_b = true}),
                     (tare_sum_attr){{0}, false});
    must(tare_graph_output(g, y));
    if (trains) {
        must(b.m->backward(b.m, &y, NULL, 1, false));
        must(tare_graph_output(g, b.m->gradient(b.m, weight)));
    }
    must(b.m->error);
    must(tare_plan_new(
        g, &(tare_plan_options){.no_in_place = number % 3 == 0, .order = (tare_plan_order)(number / 2 % 4)}, &plan));
    packing p = {.least = INT64_MAX};
    p.n = tare_plan_blocks(plan, &p.block);
    if (p.n <= MOST_BLOCKS) {
        lay(&p, 0, (1u << p.n) - 1, 0);
        ck_assert_msg(tare_plan_size(plan).arena == p.least, "program %llu: %d blocks in %lld bytes, %lld are enough",
                      (unsigned long long)number, p.n, (long long)tare_plan_size(plan).arena, (long long)p.least);
    }
    int n = p.n <= MOST_BLOCKS ? p.n : 0;
    tare_plan_free(plan);
    tare_graph_free(g);
    return n;
}

START_TEST(no_packing_of_the_blocks_is_lower)
{
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    int compared = 0, crowded = 0;
    for (uint64_t number = 0; number < 2000; ++number) {
        int n = compare(rt, number);
        compared += n > 0;
        crowded += n > 4;
    }
    ck_assert_int_gt(compared, 1200);
    ck_assert_int_gt(crowded, 300);
    spine_end(rt);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("plans against brute force");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, no_packing_of_the_blocks_is_lower);
    return spine_run("plan_brute", &tests, 1);
}

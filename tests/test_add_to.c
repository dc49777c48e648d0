/* test_add_to.c - results that are added as they are made: for every operator that has an adding one, on all its check
 * samples, in every set of kernels and instruction set, the bits of the two nodes; the same of convolutions' gradients,
 * fused with the sum; and what may not be joined is not. */
#include "../bench/derive/case.h"
#include "../graph/fused_private.h"
#include "isa.h"
#include "spine.h"

static tare_runtime *rt;
static tare_graph *g;
static tare_mode *m;

static void begin(tare_kernel_choice kernels, tare_isa isa)
{
    tare_options options = {.kernels = kernels, .isa_limit = isa};
    must(tare_start(&options, &rt));
    must(tare_graph_register(rt));
    must(tare_graph_new(rt, &g));
    m = tare_graph_mode(g);
}

static void end(void)
{
    tare_graph_free(g);
    spine_end(rt);
}

/* Runs the graph with the pass and without; the bits of result 0 are the same. How many nodes were joined. */
static int expect_same(const char *what)
{
    tare_plan *p[2];
    tare_instance *run[2];
    for (int i = 0; i < 2; ++i) {
        const tare_plan_options options = {.no_add_to = i == 0, .no_cse = true, .guards = true};
        must(tare_plan_new(g, &options, &p[i]));
        must(tare_instance_new(p[i], &run[i]));
        must(tare_instance_run(run[i]));
    }
    ck_assert_int_eq(tare_plan_passes_of(p[0]).added, 0);
    ck_assert_msg(spine_same(tare_instance_output(run[0], 0), tare_instance_output(run[1], 0)), "%s", what);
    if (rt->options.kernels != TARE_KERNELS_NULL)
        must(tare_instance_run_guarded(run[1]));
    ck_assert_msg(spine_same(tare_instance_output(run[0], 0), tare_instance_output(run[1], 0)), "%s, guarded", what);
    ck_assert_int_le(tare_plan_size(p[1]).arena, tare_plan_size(p[0]).arena + 2 * 65536 * 4);
    int added = tare_plan_passes_of(p[1]).added;
    for (int i = 0; i < 2; ++i) {
        tare_instance_free(run[i]);
        tare_plan_free(p[i]);
    }
    return added;
}

/* sum = old + op(inputs), or the other way round. */
static int sample_added(const tare_op *op, const tare_sample *sample, tare_kernel_choice kernels, tare_isa isa,
                        bool swapped)
{
    tare__case s;
    tare_value *in[TARE__CASE_INPUTS] = {0}, *y, *two[2], *old;
    ck_assert(tare__case_init(&s, op, sample, false));
    must(s.status);
    begin(kernels, isa);
    for (int i = 0; i < s.n_in; ++i) {
        if (!s.present[i])
            continue;
        must(tare_value_new(rt, &s.d[i], TARE_MEMORY_INPUT, &in[i]));
        must(tare_value_write(in[i], s.data[i], tare_desc_bytes(&s.d[i])));
    }
    must(m->apply(m, op, s.attr, in, s.n_in, &y, 0)); /* for its shape: nothing reads it */
    old = spine_random(rt, y->d.rank, y->d.dim, 17);
    two[swapped] = tare_scale(m, old, (tare_scale_attr){3});
    must(m->apply(m, op, s.attr, in, s.n_in, &two[!swapped], 0));
    tare_value *sum = tare_apply1(m, rt->accumulate, NULL, two, 2);
    must(m->error);
    must(tare_graph_output(g, sum));
    char what[256];
    (void)snprintf(what, sizeof what, "%s, %s, kernels %d, isa %d", op->name, sample->shapes, (int)kernels, (int)isa);
    int added = expect_same(what);
    for (int i = 0; i < s.n_in; ++i)
        tare_value_drop(in[i]);
    tare_value_drop(old);
    tare__case_fini(&s);
    end();
    return added;
}

START_TEST(every_adding_operator_gives_the_bits_of_two_nodes)
{
    static const tare_kernel_choice choices[] = {TARE_KERNELS_NATIVE, TARE_KERNELS_REFERENCE, TARE_KERNELS_BLAS};
    int n_ops = 0, added[3] = {0};
    tare_runtime *all = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    for (int i = 0; i < all->n_records[TARE_KIND_OPERATOR]; ++i) {
        const tare_op *op = (const tare_op *)all->record[TARE_KIND_OPERATOR][i];
        if (!op->adds)
            continue;
        ++n_ops;
        ck_assert_int_eq(op->adds->n_in, op->n_in + 1);
        ck_assert_int_eq(op->adds->n_attrs, op->n_attrs);
        for (int k = 0; k < op->n_samples; ++k)
            for (int c = 0; c < 3 && op->samples[k].use == TARE_SAMPLE_CHECK; ++c)
                for (tare_isa isa = c ? best_isa() : TARE_ISA_PORTABLE; isa <= best_isa(); ++isa)
                    for (int swapped = 0; swapped < 2; ++swapped)
                        added[c] += sample_added(op, &op->samples[k], choices[c], isa, swapped);
    }
    spine_end(all);
    ck_assert_int_gt(n_ops, 0);
    ck_assert_int_gt(added[0], 20);
    ck_assert_int_gt(added[1], 10);
}
END_TEST

/* A gradient that reaches a plane by several convolutions: all but the first are added where they are made, and need no
 * bytes of a whole. Strides and kernels of every family that has parts; images for four vectors of them. */
START_TEST(convolutions_add_to_the_gradient_of_what_they_share)
{
    static const int64_t kernels[][3] = {{1, 0, 1}, {3, 1, 1}, {5, 2, 1}, {3, 1, 2}, {3, 0, 1}, {2, 0, 2}};
    enum { KERNELS = sizeof kernels / sizeof *kernels };
    for (tare_isa isa = 0; isa <= best_isa(); ++isa) {
        begin(TARE_KERNELS_NATIVE, isa);
        tare_value *x = spine_random(rt, 4, (const int64_t[]){64, 24, 14, 14}, 1), *w[KERNELS], *total = NULL;
        m->recording = true;
        tare_value *h = tare_tanh(m, (tare_value_want_gradient(x, true), x));
        for (int i = 0; i < KERNELS; ++i) {
            w[i] = spine_random(rt, 4, (const int64_t[]){64, 24, kernels[i][0], kernels[i][0]}, (uint64_t)i + 2);
            const tare_conv2d_attr at = {.stride_h = kernels[i][2],
                                         .stride_w = kernels[i][2],
                                         .pad_h = kernels[i][1],
                                         .pad_w = kernels[i][1],
                                         .dilation_h = 1,
                                         .dilation_w = 1,
                                         .groups = 1};
            tare_value *const in[] = {h, w[i], NULL};
            tare_value *y = spine_total(m, tare_tanh(m, tare_apply1(m, &tare_op_conv2d, &at, in, 3)));
            total = total ? tare_add(m, total, y) : y;
        }
        must(m->error);
        must(m->backward(m, &total, NULL, 1, false));
        must(tare_graph_output(g, m->gradient(m, x)));
        ck_assert_int_ge(expect_same("convolutions of one plane"), KERNELS - 2);
        for (int i = 0; i < KERNELS; ++i)
            tare_value_drop(w[i]);
        tare_value_drop(x);
        end();
    }
}
END_TEST

/* ---- where it may not be
 * ---------------------------------------------------------------------------------------------------------*/
enum { N = 24, BIG = 96 }; /* BIG: a matrix of some tiles of a fused node */

static tare_value *parameter(uint64_t seed)
{
    return spine_random(rt, 2, (const int64_t[]){N, N}, seed);
}

/* A sum over several products, as a weight that is used again and again gets its gradient. */
START_TEST(a_weight_used_again_gets_its_gradient_added)
{
    begin(TARE_KERNELS_NATIVE, TARE_ISA_COUNT);
    tare_value *w = parameter(1), *x = parameter(2);
    tare_value_want_gradient(w, true);
    m->recording = true;
    tare_value *y = x;
    for (int i = 0; i < 5; ++i)
        y = tare_tanh(m, tare_matmul(m, y, w, (tare_matmul_attr){0}));
    y = spine_total(m, y);
    must(m->backward(m, &y, NULL, 1, false));
    must(tare_graph_output(g, m->gradient(m, w)));
    ck_assert_int_eq(expect_same("a weight used again"), 4);
    tare_value_drop(w);
    tare_value_drop(x);
    end();
}
END_TEST

START_TEST(what_is_read_again_or_is_a_result_is_made_by_itself)
{
    begin(TARE_KERNELS_NATIVE, TARE_ISA_COUNT);
    tare_value *w = parameter(1), *x = parameter(2), *sum[3];
    for (int i = 0; i < 3; ++i) {
        tare_value *old = tare_tanh(m, x), *made = tare_matmul(m, x, w, (tare_matmul_attr){.transpose_b = i > 0});
        sum[i] = tare_apply1(m, rt->accumulate, NULL, (tare_value *const[]){old, made}, 2);
        if (i == 0)
            sum[i] = tare_mul(m, sum[i], made);
        else if (i == 1)
            sum[i] = tare_mul(m, sum[i], tare_transpose(m, made, (tare_transpose_attr){{0}}));
        else
            must(tare_graph_output(g, made));
    }
    must(tare_graph_output(g, tare_add(m, sum[0], tare_add(m, sum[1], sum[2]))));
    tare_plan *p;
    must(tare_plan_new(g, &(tare_plan_options){.no_cse = true}, &p));
    ck_assert_int_eq(tare_plan_passes_of(p).added, 0);
    tare_plan_free(p);
    tare_value_drop(w);
    tare_value_drop(x);
    end();
}
END_TEST

/* tanh of y and made, added up, twice; as a plan that adds both as they are made. */
static tare_plan *plan_of_sums(tare_value *y, tare_value *(*made)(tare_value *y, tare_value *with), tare_value *with)
{
    for (int i = 0; i < 2; ++i)
        y = tare_apply1(m, rt->accumulate, NULL, (tare_value *const[]){tare_tanh(m, y), made(y, with)}, 2);
    must(tare_graph_output(g, y));
    tare_plan *p;
    must(tare_plan_new(g, NULL, &p));
    ck_assert_int_eq(tare_plan_passes_of(p).added, 2);
    return p;
}

static tare_value *product(tare_value *y, tare_value *with)
{
    return tare_matmul(m, y, with, (tare_matmul_attr){0});
}

static tare_value *each(tare_value *y, tare_value *with)
{
    return tare_mul(m, y, with);
}

/* A tile would take as much as what it is a tile of. */
START_TEST(small_sums_are_not_fused)
{
    begin(TARE_KERNELS_NATIVE, TARE_ISA_COUNT);
    tare_value *x = parameter(2), *y = tare_tanh(m, x);
    must(tare_graph_output(g, tare_apply1(m, rt->accumulate, NULL, (tare_value *const[]){y, each(y, x)}, 2)));
    ck_assert_int_eq(expect_same("a small sum"), 0);
    tare_value_drop(x);
    end();
}
END_TEST

/* The adding node with other operands than those of the two, or as if another node were gone. */
START_TEST(the_checker_looks_at_what_is_added)
{
    begin(TARE_KERNELS_NATIVE, TARE_ISA_COUNT);
    tare_value *w = parameter(1), *x = parameter(2);
    tare_plan *p = plan_of_sums(tare_exp(m, x), product, w);
    int n = 0;
    for (int32_t i = 0; i < p->program->n; ++i) {
        tare_node *node = &p->program->node[i], was = *node;
        if (node->op != &tare_op_matmul_add)
            continue;
        for (int k = 0; k < node->n_in; ++k)
            for (int32_t id = 0; id < p->n_values_graph; ++id) {
                tare_value *operand = node->operand[k];
                if (operand->id == id || p->program->value[id]->node >= i)
                    continue;
                node->operand[k] = p->program->value[id];
                ck_assert_int_eq(tare__plan_check(p), TARE_IMPOSSIBLE);
                node->operand[k] = operand;
                ++n;
            }
        tare_matmul_attr other = {.transpose_a = true};
        node->attr = &other;
        ck_assert_int_eq(tare__plan_check(p), TARE_IMPOSSIBLE);
        *node = was;
    }
    ck_assert_int_gt(n, 10);
    must(tare__plan_check(p));
    tare_plan_free(p);
    tare_value_drop(w);
    tare_value_drop(x);
    end();
}
END_TEST

/* A fused sum that is said to take over what its product reads, or the product's own place. */
START_TEST(the_checker_looks_at_what_a_fused_sum_takes_over)
{
    begin(TARE_KERNELS_NATIVE, TARE_ISA_COUNT);
    tare_value *x = spine_random(rt, 2, (const int64_t[]){BIG, BIG}, 2);
    tare_plan *p = plan_of_sums(tare_exp(m, x), each, x);
    int n = 0;
    for (int32_t i = 0; i < p->program->n; ++i) {
        const tare_fused *f = tare__fused_of(&p->program->node[i]);
        if (!f)
            continue;
        tare_fused *own = (tare_fused *)f;
        const tare_fused was = *f;
        ck_assert_int_gt(f->op.overwrites[0], 0);
        for (int k = 0; k < f->step[0].n_operands + 2; ++k) {
            own->op.overwrites[0] = (int8_t)(f->op.n_in + 1 + k);
            ck_assert_int_eq(tare__plan_check(p), TARE_IMPOSSIBLE);
            *own = was;
        }
        own->step[0].place[0].at = (int16_t)(was.op.overwrites[0] - 1); /* as if it were read twice */
        ck_assert_int_eq(tare__plan_check(p), TARE_IMPOSSIBLE);
        *own = was;
        own->in_place = true;
        ck_assert_int_eq(tare__plan_check(p), TARE_IMPOSSIBLE);
        *own = was;
        ++n;
    }
    ck_assert_int_eq(n, 2);
    must(tare__plan_check(p));
    tare_plan_free(p);
    tare_value_drop(x);
    end();
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("add-to");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, every_adding_operator_gives_the_bits_of_two_nodes);
    tcase_add_test(tests, convolutions_add_to_the_gradient_of_what_they_share);
    tcase_add_test(tests, the_checker_looks_at_what_a_fused_sum_takes_over);
    tcase_add_test(tests, a_weight_used_again_gets_its_gradient_added);
    tcase_add_test(tests, what_is_read_again_or_is_a_result_is_made_by_itself);
    tcase_add_test(tests, small_sums_are_not_fused);
    tcase_add_test(tests, the_checker_looks_at_what_is_added);
    return spine_run("add-to", &tests, 1);
}

/* test_checker_joins.c - the plan checker finds every fault that is put into a plan whose parts are made in their
 * places.
 *
 *     a = relu x, b = tanh x, z = sigmoid x, y = a, b joined; results z + a, -y
 *
 * y is of rows, or of columns, where the parts' rows are apart. z is made after the parts and before y is read.
 *
 *     a = relu x, b = tanh x, z = sigmoid x, y = a, x, a view of b joined; results z + a, -y
 *
 * Here a alone is made in its place, and the joining node copies the others. */
#include "plan_copy.h"

static tare_runtime *rt;
static tare_graph *g;
static tare_plan *whole, *apart; /* with placement, without */
static tare_plan copy;
static const tare_value *a, *b, *z, *y;

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
}

static void plan(tare_value *part, tare_value *other)
{
    tare_mode *m = tare_graph_mode(g);
    must(tare_graph_output(g, tare_neg(m, (tare_value *)y)));
    must(tare_graph_output(g, tare_add(m, other, part)));
    must(tare_plan_new(g, NULL, &whole));
    must(tare_plan_new(g, &(tare_plan_options){.no_placement = true}, &apart));
    a = part;
    z = other;
    plan_copy(&copy, whole);
    must(tare__plan_check(&copy));
}

static void begin(int64_t axis)
{
    must(tare_graph_new(rt, &g));
    tare_mode *m = tare_graph_mode(g);
    tare_desc d = tare_desc_of(TARE_F32, 2, (const int64_t[]){4, 32});
    tare_value *x = tare_graph_input(g, &d, "x");
    tare_value *const part[] = {tare_relu(m, x), tare_tanh(m, x)};
    tare_value *other = tare_sigmoid(m, x);
    b = part[1];
    y = tare_apply1(m, &tare_op_concat, &(tare_concat_attr){axis}, part, 2);
    plan(part[0], other);
    ck_assert_int_eq(whole->n_calls + 1, apart->n_calls);
}

static void begin_partly(int64_t axis)
{
    must(tare_graph_new(rt, &g));
    tare_mode *m = tare_graph_mode(g);
    tare_desc d = tare_desc_of(TARE_F32, 2, (const int64_t[]){4, 32});
    tare_value *x = tare_graph_input(g, &d, "x"), *first = tare_relu(m, x), *second = tare_tanh(m, x);
    tare_value *other = tare_sigmoid(m, x);
    tare_value *const part[] = {first, x, tare_slice(m, second, (tare_slice_attr){0, 0, 4, 1})};
    b = second;
    y = tare_apply1(m, &tare_op_concat, &(tare_concat_attr){axis}, part, 3);
    plan(first, other);
    ck_assert_int_eq(whole->n_calls, apart->n_calls);
    ck_assert_int_eq(tare_plan_passes_of(whole).partly, 1);
    ck_assert_int_eq(tare_plan_passes_of(whole).copied, 2);
}

static void end(void)
{
    plan_copy_fini(&copy);
    tare_plan_free(whole);
    tare_plan_free(apart);
    tare_graph_free(g);
}

static void teardown(void)
{
    spine_end(rt);
}

/* The first entry of the call's addresses that is value v; the call. */
static int32_t entry_of(const tare_plan *p, const tare_value *v, int32_t *call)
{
    int32_t from = 0;
    for (*call = 0; *call < p->n_calls; from += p->call[(*call)++].n_ptr)
        for (int i = 0; i < p->node[*call]->n_in + p->node[*call]->n_out; ++i)
            if (p->node[*call]->operand[i] && p->node[*call]->operand[i]->id == v->id)
                return from + i;
    ck_abort_msg("the value is no operand");
}

/* The copy's own record of v in all tables and nodes, to be changed. */
static tare_value *own_record(const tare_value *v, tare_value *record, tare_node *node, tare_value *(*operand)[16])
{
    *record = *copy.placed[v->id];
    copy.placed[v->id] = record;
    for (int32_t c = 0; c < copy.n_calls; ++c) {
        int total = copy.node[c]->n_in + copy.node[c]->n_out + copy.node[c]->n_aux;
        ck_assert_int_le(total, 16);
        node[c] = *copy.node[c];
        for (int i = 0; i < total; ++i) {
            tare_value *is = node[c].operand[i];
            operand[c][i] = is && is->id == v->id ? record : is;
        }
        node[c].operand = operand[c];
        copy.node[c] = &node[c];
    }
    return record;
}

static void shift(const tare_value *v, int64_t bytes)
{
    int32_t from = 0;
    for (int32_t c = 0; c < copy.n_calls; from += copy.call[c++].n_ptr)
        for (int i = 0; i < copy.node[c]->n_in + copy.node[c]->n_out; ++i)
            if (copy.node[c]->operand[i] && copy.node[c]->operand[i]->id == v->id)
                copy.address[from + i].offset += bytes;
}

START_TEST(a_part_that_lies_elsewhere)
{
    for (int64_t by = -32; by <= 128; by += 1) {
        tare_value record;
        tare_node node[8];
        tare_value *operand[8][16];
        begin(_i);
        if (by != 0) {
            own_record(by % 2 ? a : b, &record, node, operand)->view_offset += by;
            shift(&record, by * 4);
            expect_fault(&copy, "part shifted", (int)by);
        }
        end();
    }
}
END_TEST

START_TEST(addresses_alone_that_are_elsewhere)
{
    static const int64_t by[] = {4, 64, 128, 256, -4};
    for (int k = 0; k < 10; ++k) {
        int32_t call;
        begin(_i);
        copy.address[entry_of(&copy, k % 2 ? a : b, &call)].offset += by[k / 2];
        expect_fault(&copy, "address", k);
        end();
    }
}
END_TEST

START_TEST(two_parts_swapped)
{
    tare_value record[2];
    tare_node node[2][8];
    tare_value *operand[2][8][16];
    begin(_i);
    int64_t by = copy.placed[b->id]->view_offset - copy.placed[a->id]->view_offset;
    own_record(a, &record[0], node[0], operand[0])->view_offset += by;
    own_record(b, &record[1], node[1], operand[1])->view_offset -= by;
    shift(a, by * 4);
    shift(b, -by * 4);
    expect_fault(&copy, "swapped", 0);
    end();
}
END_TEST

/* Takes call c out of the copy, whose first address is that one. */
static void take_out(int32_t c, int32_t from)
{
    int32_t n = copy.call[c].n_ptr;
    memmove(copy.address + from, copy.address + from + n, (size_t)(copy.n_address - from - n) * sizeof *copy.address);
    memmove(copy.call + c, copy.call + c + 1, (size_t)(copy.n_calls - c - 1) * sizeof *copy.call);
    memmove(copy.node + c, copy.node + c + 1, (size_t)(copy.n_calls - c - 1) * sizeof *copy.node);
    copy.n_address -= n;
    --copy.n_calls;
}

START_TEST(a_part_that_nobody_makes_or_places)
{
    for (int k = 0; k < 3; ++k) {
        int32_t call;
        begin(_i);
        if (k == 2) {
            copy.placed[b->id] = NULL;
        } else {
            int32_t at = entry_of(&copy, k ? a : b, &call);
            take_out(call, at - copy.node[call]->n_in);
        }
        expect_fault(&copy, "missing", k);
        end();
    }
}
END_TEST

/* Every place in and around the whole at which a value made in between would touch a part. */
START_TEST(a_part_overwritten_before_the_whole_is_read)
{
    int n = 0;
    for (int64_t offset = 0; offset < 1024; offset += 64) {
        int32_t call;
        begin(_i);
        int32_t of_z = copy.address[entry_of(&copy, z, &call)].buffer;
        int32_t of_y = copy.address[entry_of(&copy, y, &call)].buffer;
        copy.buffer[of_z].offset = copy.buffer[of_y].offset + offset;
        copy.bytes.arena += 4096;
        expect_fault(&copy, "overwritten", (int)offset);
        ++n;
        end();
    }
    ck_assert_int_eq(n, 16);
}
END_TEST

START_TEST(the_joining_node_run_as_well)
{
    int32_t joins = 0, from = 0, call;
    begin(_i);
    while (!apart->node[joins]->op->join)
        ++joins;
    (void)entry_of(&copy, y, &call); /* before its first reader */
    for (int32_t c = 0; c < call; ++c)
        from += copy.call[c].n_ptr;
    tare_call *calls = malloc((size_t)(copy.n_calls + 1) * sizeof *calls);
    const tare_node **nodes = malloc((size_t)(copy.n_calls + 1) * sizeof *nodes);
    size_t n = (size_t)apart->call[joins].n_ptr, before = (size_t)from;
    tare_address *address = malloc(((size_t)copy.n_address + n) * sizeof *address);
    for (int32_t c = 0, to = 0; c < copy.n_calls; ++c) {
        to += c == call;
        nodes[to] = copy.node[c];
        calls[to++] = copy.call[c];
    }
    nodes[call] = apart->node[joins];
    calls[call] = apart->call[joins];
    memcpy(address, copy.address, before * sizeof *address);
    memcpy(address + before + n, copy.address + before, ((size_t)copy.n_address - before) * sizeof *address);
    const tare_value *const at[] = {a, b, y};
    for (int i = 0; i < 3; ++i)
        address[before + (size_t)i] = copy.address[entry_of(&copy, at[i], &call)];
    address[before + 3] = address[before + 4] = (tare_address){-1, 0};
    free(copy.address);
    free(copy.call);
    free(copy.node);
    copy.address = address;
    copy.call = calls;
    copy.node = nodes;
    copy.n_address += (int32_t)n;
    ++copy.n_calls;
    expect_fault(&copy, "joined too", 0);
    ck_assert_ptr_nonnull(strstr(tare_error_text(), "written by the joining node too"));
    end();
}
END_TEST

START_TEST(wrong_strides_and_variants_that_do_not_take_them)
{
    for (int k = 0; k < 4; ++k) {
        tare_value record;
        tare_node node[8];
        tare_value *operand[8][16];
        int32_t call;
        begin(1);
        own_record(a, &record, node, operand);
        (void)entry_of(&copy, a, &call);
        if (k == 0) {
            record.d.stride[0] += 1;
        } else if (k == 1) { /* the kernel for operands without gaps */
            node[call].variant = g->program.node[a->node].variant;
            copy.call[call].run = node[call].variant->run;
        } else if (k == 2) { /* prepared for another record than the plan's */
            record = *whole->placed[a->id];
            copy.placed[a->id] = whole->placed[a->id];
        } else { /* as if it were not placed */
            operand[call][node[call].n_in] = (tare_value *)a;
        }
        expect_fault(&copy, "strides", k);
        end();
    }
}
END_TEST

/* ---- some parts copied
 * ---------------------------------------------------------------------------------------------------------*/
/* The joining call and its first address. */
static int32_t joining_call(int32_t *from)
{
    int32_t c = 0;
    for (*from = 0; !copy.node[c]->op->join; *from += copy.call[c++].n_ptr)
        ;
    return c;
}

START_TEST(copies_that_are_missing_or_too_early_or_too_late)
{
    for (int by = -3; by <= 2; ++by) {
        int32_t from, call;
        begin_partly(_i);
        call = joining_call(&from);
        ck_assert_int_eq(call, 3); /* of relu, tanh, sigmoid, concat, neg, add */
        if (by == 0) {
            take_out(call, from);
        } else {
            for (int32_t c = call; c != call + by; c += by < 0 ? -1 : 1) { /* past the call before, or the next */
                int32_t first = by < 0 ? c - 1 : c, at = 0;
                for (int32_t e = 0; e < first; ++e)
                    at += copy.call[e].n_ptr;
                tare_call one = copy.call[first];
                const tare_node *node = copy.node[first];
                tare_address kept[16];
                size_t n = (size_t)one.n_ptr, m = (size_t)copy.call[first + 1].n_ptr;
                memcpy(kept, copy.address + at, n * sizeof *kept);
                memmove(copy.address + at, copy.address + (size_t)at + n, m * sizeof *kept);
                memcpy(copy.address + (size_t)at + m, kept, n * sizeof *kept);
                copy.call[first] = copy.call[first + 1];
                copy.node[first] = copy.node[first + 1];
                copy.call[first + 1] = one;
                copy.node[first + 1] = node;
            }
        }
        if (by == -1) /* before sigmoid, which it has nothing to do with: no fault */
            must(tare__plan_check(&copy));
        else
            expect_fault(&copy, "joining call", by);
        end();
    }
}
END_TEST

START_TEST(copies_of_other_values)
{
    for (int k = 0; k < 3; ++k)
        for (int e = 0; e < 3; ++e) {
            int32_t from, call;
            tare_value *operand[4];
            begin_partly(_i);
            call = joining_call(&from);
            tare_node node = *copy.node[call];
            if (k == e) { /* none of its own, but what is as large */
                node.operand = memcpy(operand, node.operand, sizeof operand);
                operand[k] = (tare_value *)z;
                copy.node[call] = &node;
            }
            copy.address[from + k] = k == e ? copy.address[entry_of(&copy, z, &call)] : copy.address[from + e];
            expect_fault(&copy, "operand", 3 * k + e);
            end();
        }
}
END_TEST

/* Every place in and around the whole, and what is copied into it, where a value made in between would touch them. */
START_TEST(what_is_copied_or_there_overwritten_before)
{
    int n = 0;
    for (int what = 0; what < 2; ++what)
        for (int64_t offset = 0; offset < (what ? 512 : 1536); offset += 64) {
            int32_t call;
            begin_partly(_i);
            int32_t of_z = copy.address[entry_of(&copy, z, &call)].buffer;
            int32_t of_it = copy.address[entry_of(&copy, what ? b : y, &call)].buffer;
            copy.buffer[of_z].offset = copy.buffer[of_it].offset + offset;
            copy.bytes.arena += 4096;
            expect_fault(&copy, "overwritten", (int)offset);
            ++n;
            end();
        }
    ck_assert_int_eq(n, 32);
}
END_TEST

START_TEST(parts_beside_copies_that_lie_elsewhere)
{
    for (int64_t by = -32; by <= 128; by += 1) {
        tare_value record;
        tare_node node[8];
        tare_value *operand[8][16];
        int32_t from, call;
        if (by == 0)
            continue;
        begin_partly(_i);
        call = joining_call(&from);
        if (by % 3 == 0) {
            own_record(a, &record, node, operand)->view_offset += by;
            shift(&record, by * 4);
        } else if (by % 3 == 1 || by % 3 == -2) { /* the whole's address, for the node that copies into it */
            copy.address[from + copy.node[call]->n_in].offset += by * 4;
        } else {
            copy.address[entry_of(&copy, a, &call)].offset += by * 4;
        }
        expect_fault(&copy, "elsewhere", (int)by);
        end();
    }
}
END_TEST

/* The joining node is said to find parts that are not there, or does not know of one that is. */
START_TEST(claims_of_parts_that_are_not_so)
{
    for (int k = 0; k < 3; ++k) {
        tare_value record;
        begin_partly(_i);
        const tare_node *join = &g->program.node[y->node];
        const tare_value *of = k == 0 ? join->operand[1] : k == 1 ? join->operand[2] : a;
        record = *copy.placed[a->id];
        record.id = of->id;
        record.view_offset *= k;
        copy.placed[of->id] = k == 2 ? NULL : &record;
        expect_fault(&copy, "claim", k);
        end();
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("checker joins");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_part_that_lies_elsewhere, 0, 2);
    tcase_add_loop_test(tests, addresses_alone_that_are_elsewhere, 0, 2);
    tcase_add_loop_test(tests, two_parts_swapped, 0, 2);
    tcase_add_loop_test(tests, a_part_that_nobody_makes_or_places, 0, 2);
    tcase_add_loop_test(tests, a_part_overwritten_before_the_whole_is_read, 0, 2);
    tcase_add_loop_test(tests, the_joining_node_run_as_well, 0, 2);
    tcase_add_loop_test(tests, copies_that_are_missing_or_too_early_or_too_late, 0, 2);
    tcase_add_loop_test(tests, copies_of_other_values, 0, 2);
    tcase_add_loop_test(tests, what_is_copied_or_there_overwritten_before, 0, 2);
    tcase_add_loop_test(tests, parts_beside_copies_that_lie_elsewhere, 0, 2);
    tcase_add_loop_test(tests, claims_of_parts_that_are_not_so, 0, 2);
    tcase_add_test(tests, wrong_strides_and_variants_that_do_not_take_them);
    return spine_run("checker joins", &tests, 1);
}

/* test_training.c - a training that is stopped and resumed, wherever and in whichever rung and at whatever number of
 * threads, gives bit for bit the losses, weights and state of one that was never stopped; predictions are the same in
 * every rung; whatever allocation fails, the last checkpoint goes on to the same bits. */
#include <math.h>

#include "../bench/arm/digest.h"
#include "../bench/arm/training.h"
#include "../core/random.h"
#include "../data/npy.h"
#include "scratch.h"

enum { EPOCHS = 4, ROWS = 50, HELD = 15, EVENTS = 3 * EPOCHS };

/* Nets with randomness and state (batch norm, dropout, an LSTM), of regression, and one that is best after an epoch. */
typedef struct {
    const char *net, *optimizer;
    int64_t batch, inputs, classes; /* classes 0: one target */
} problem;
static const problem problems[] = {{"gauntlet", "adam", 6, 128, 10},
                                   {"mlp:hidden=8", "sgd:lr=0.01", 7, 1000, 0},
                                   {"mlp:hidden=8", "sgd:lr=0.03", 7, 1000, 0}};
enum { GAUNTLET, REGRESSION, SPOILT, PROBLEMS = sizeof problems / sizeof *problems };

/* ---- data ----------------------------------------------------------------------------------------------------*/

static void write_rows(const char *name, tare_dtype dtype, int64_t rows, int64_t width, uint64_t seed, int64_t classes)
{
    tare_array array;
    const int64_t dims[] = {rows, width};
    ck_assert_int_eq(tare_array_init(NULL, dtype, classes ? 1 : 2, dims, &array), TARE_OK);
    if (classes)
        for (int64_t i = 0; i < rows; ++i)
            ((int32_t *)array.data)[i] = (int32_t)((i * 7 + (int64_t)seed) % classes);
    else
        tare_random_uniform(array.data, rows * width, seed, 1, -1, 1);
    ck_assert_int_eq(tare_npy_write(NULL, scratch_path(name), &array), TARE_OK);
    tare_array_fini(NULL, &array);
}

static void write_data(const problem *p)
{
    const tare_dtype targets = p->classes ? TARE_I32 : TARE_F32;
    write_rows("X_train.npy", TARE_F32, ROWS, p->inputs, 1, 0);
    write_rows("Y_train.npy", targets, ROWS, 1, 2, p->classes);
    write_rows("X_test.npy", TARE_F32, HELD, p->inputs, 3, 0);
    write_rows("Y_test.npy", targets, HELD, 1, 4, p->classes);
}

/* Names that stay valid for a whole test. */
static const char *path_of(const char *name)
{
    static char path[4][512];
    static int next;
    return strcpy(path[next++ % 4], scratch_path(name));
}

/* ---- one run -------------------------------------------------------------------------------------------------*/

/* What a run is to be, and what came of it. */
typedef struct {
    const problem *problem;
    const tare__rung *rung;
    int threads;
    int64_t patience, every;
    const char *from, *to; /* checkpoints; NULL: none */
    int64_t stop_at;       /* from the how manieth question on the answer is yes; 0: never */
    int64_t asked;
    double
        event[EVENTS]; /* training loss, score's loss and metric of each epoch seen so far, over all runs of a chain */
    bool broken_off;
    bool inside;                 /* an epoch's time has its evaluation in it, which then takes a while */
    int64_t rested_ns, least_ns; /* of this epoch's evaluation; the shortest epoch's time less that */
    const tare__training *training;
    uint64_t weights, hash; /* of the first parameter; of weights, state, optimizer, place in the data */
} run;

enum { REST_NS = 20000000 };

static bool stopped(void *owner)
{
    run *r = owner;
    if (r->inside && r->training->batches.position == r->training->steps_an_epoch) {
        (void)nanosleep(&(struct timespec){.tv_nsec = REST_NS}, NULL);
        r->rested_ns += REST_NS;
    }
    return ++r->asked >= r->stop_at && r->stop_at;
}

static void on_epoch(void *owner, const tare__epoch *e)
{
    run *r = owner;
    ck_assert_int_le(e->number, EPOCHS);
    ck_assert(e->score.whole);
    ck_assert_int_eq(e->score.samples, HELD);
    if (r->inside && e->time_ns - r->rested_ns < r->least_ns)
        r->least_ns = e->time_ns - r->rested_ns;
    r->rested_ns = 0;
    double *event = &r->event[3 * (e->number - 1)];
    event[0] = e->loss;
    event[1] = e->score.loss;
    event[2] = r->problem->classes ? e->score.accuracy : e->score.r2;
}

static uint64_t hash_value(uint64_t hash, const tare_value *v)
{
    static unsigned char bytes[1 << 16];
    size_t n = tare_desc_bytes(&v->d);
    ck_assert_uint_le(n, sizeof bytes);
    ck_assert_int_eq(tare_value_read(v, bytes, n), TARE_OK);
    return tare__fnv(hash, bytes, n);
}

static uint64_t hash_all(const tare__training *t)
{
    const tare_net *net = t->arm->net;
    const tare_optimizer *o = t->arm->optimizer;
    uint64_t hash = hash_value(tare__fnv_start, o->learning_rate);
    for (int i = 0; i < net->n_parameters; ++i)
        hash = hash_value(hash, net->parameter[i].value);
    for (int i = 0; i < net->n_states; ++i)
        hash = hash_value(hash, net->state[i].value);
    for (int i = 0; i < net->n_parameters * o->type->n_states; ++i)
        hash = hash_value(hash, o->state[i]);
    hash = o->step ? hash_value(hash, o->step) : hash;
    hash = tare__fnv(hash, &t->batches.epoch, sizeof t->batches.epoch);
    return tare__fnv(hash, &t->batches.position, sizeof t->batches.position);
}

static tare_status open_arm(tare__arm *arm, const run *r, tare__work work)
{
    const tare__task task = {.net = r->problem->net,
                             .batch = r->problem->batch,
                             .work = work,
                             .optimizer = work == TARE__TRAIN ? r->problem->optimizer : NULL,
                             .training_loss = true,
                             .outputs_only = work == TARE__INFER,
                             .seed = 1};
    tare__setting setting = tare__setting_of(r->rung, work == TARE__TRAIN);
    setting.level[TARE__THREADS] = r->threads;
    setting.level[TARE__VALIDATION] = r->inside ? TARE__VALIDATION_INSIDE : TARE__VALIDATION_OUTSIDE;
    tare_status status = tare__arm_open(arm, &task, &setting, r->rung->name);
    arm->keep = true;
    return status == TARE_OK ? tare__arm_prepare(arm) : status;
}

/* memory_fails: the request of the arm's runtime and of the data from which on all fail; 0: none. */
static tare_status train(run *r, int64_t memory_fails, bool *done)
{
    tare__arm arm;
    tare__samples samples;
    tare_tensors file = {0};
    ck_assert_int_eq(tare__samples_open(NULL, scratch_folder, TARE_DATASET_TRAIN | TARE_DATASET_TEST, &samples), 0);
    ck_assert_msg(open_arm(&arm, r, TARE__TRAIN) == TARE_OK, "%s", tare_error_text());
    ck_assert_int_eq(tare__samples_fit(&samples, arm.net, arm.loss_kind), TARE_OK);
    tare__training t = {.arm = &arm,
                        .samples = &samples,
                        .part = &samples.test,
                        .epochs = EPOCHS,
                        .patience = r->patience,
                        .shuffle = true,
                        .order_seed = 9,
                        .checkpoint = r->to,
                        .checkpoint_every = r->every,
                        .stopped = stopped,
                        .on_epoch = on_epoch,
                        .owner = r};
    r->asked = 0;
    r->training = &t;
    if (r->from)
        ck_assert_msg(tare_safetensors_read(&arm.rt->memory, r->from, &file) == TARE_OK, "%s", tare_error_text());
    arm.rt->memory.fail_at = memory_fails ? arm.rt->memory.n_requests + memory_fails : 0;
    samples.memory.fail_at = memory_fails ? samples.memory.n_requests + memory_fails : 0;
    tare_status status = tare__training_open(&t);
    if (status == TARE_OK && r->from)
        status = tare__training_restore(&t, &file, r->from);
    if (status == TARE_OK)
        status = tare__training_run(&t);
    *done = !memory_fails ||
            (arm.rt->memory.n_requests < arm.rt->memory.fail_at && samples.memory.n_requests < samples.memory.fail_at);
    arm.rt->memory.fail_at = samples.memory.fail_at = 0;
    r->broken_off = t.broken_off;
    if (status == TARE_OK)
        r->hash = hash_all(&t);
    r->weights = hash_value(tare__fnv_start, arm.net->parameter[0].value);
    tare_safetensors_free(&arm.rt->memory, &file);
    tare__training_close(&t);
    tare__arm_close(&arm);
    tare__samples_close(&samples);
    return status;
}

static void go(run *r)
{
    bool done;
    ck_assert_msg(train(r, 0, &done) == TARE_OK, "%s, %s: %s", r->problem->net, r->rung->name, tare_error_text());
}

static run unbroken(const problem *p, int64_t patience)
{
    run r = {.problem = p, .rung = tare__rung_find("functional"), .threads = 1, .patience = patience};
    write_data(p);
    go(&r);
    ck_assert(!r.broken_off);
    return r;
}

static void assert_same(const run *a, const run *b, const char *when, int64_t at)
{
    for (int i = 0; i < EVENTS; ++i)
        ck_assert_msg(memcmp(&a->event[i], &b->event[i], sizeof *a->event) == 0, "%s %lld: epoch %d: %.17g, not %.17g",
                      when, (long long)at, i / 3 + 1, b->event[i], a->event[i]);
    ck_assert_msg(a->hash == b->hash, "%s %lld: other weights or state", when, (long long)at);
}

/* ---- resumed -------------------------------------------------------------------------------------------------*/

/* Stopped after each batch in turn, of training and of evaluation; the later problems after every third. */
/* However long it takes, it is in the epoch's time, and changes nothing else. */
START_TEST(an_evaluation_inside_is_in_the_epochs_time)
{
    const problem *p = &problems[0];
    run wanted = unbroken(p, 0), r = {.problem = p, .rung = tare__rung_find("symbol"), .threads = 1};
    r.inside = true;
    r.least_ns = INT64_MAX;
    go(&r);
    assert_same(&wanted, &r, "evaluated inside", 0);
    ck_assert_int_gt(r.least_ns, 0);
    ck_assert_int_lt(r.least_ns, INT64_MAX);
}
END_TEST

START_TEST(wherever_it_is_stopped)
{
    const problem *p = &problems[_i];
    const char *path = path_of("c.safetensors");
    run wanted = unbroken(p, 2);
    int64_t stop = 0;
    for (bool broken_off = true; broken_off;) {
        run r = {.problem = p, .rung = tare__rung_find("step"), .threads = 1, .patience = 2, .to = path};
        r.stop_at = stop += p == problems ? 1 : 3;
        go(&r);
        broken_off = r.broken_off;
        r.from = path;
        r.stop_at = 0;
        r.rung = wanted.rung;
        if (broken_off)
            go(&r);
        assert_same(&wanted, &r, "stopped at", stop);
    }
    ck_assert_int_gt(stop, (EPOCHS - 1) * (ROWS / p->batch));
    ck_assert((_i == SPOILT) == (wanted.event[EVENTS - 3] == 0)); /* that one ends after the third epoch */
}
END_TEST

/* Begun in each rung, gone on with in the next, at other numbers of threads, in pieces of 5 questions. */
START_TEST(in_whichever_rung)
{
    const problem *p = &problems[_i];
    const char *path = path_of("c.safetensors");
    run wanted = unbroken(p, 0);
    for (const tare__rung *first = tare__rungs; first->name; ++first) {
        run r = {.problem = p, .rung = first, .threads = 1, .to = path, .stop_at = 5};
        int pieces = 0;
        do {
            go(&r);
            r.from = path;
            r.threads = r.threads % 3 + 1;
            ++r.rung;
            if (!r.rung->name)
                r.rung = tare__rungs;
            ck_assert_int_lt(++pieces, 50);
        } while (r.broken_off);
        ck_assert_int_gt(pieces, 3);
        assert_same(&wanted, &r, first->name, pieces);
    }
}
END_TEST

/* From a checkpoint that was written on the way, not when stopped: what a killed process leaves. */
START_TEST(from_the_middle_of_an_epoch)
{
    const problem *p = &problems[_i];
    const char *path = path_of("c.safetensors");
    run wanted = unbroken(p, 2);
    for (int64_t every = 1; every < 6; ++every) {
        run r = {.problem = p, .rung = wanted.rung, .threads = 1, .patience = 2, .to = path, .every = every};
        int64_t steps = ROWS / p->batch;
        r.stop_at = steps + HELD / p->batch + 1 + 5; /* in the second epoch */
        go(&r);
        ck_assert(r.broken_off);
        r.from = path;
        r.stop_at = 0;
        go(&r);
        assert_same(&wanted, &r, "every", every);
    }
}
END_TEST

/* Weights that no longer get better are not taken: those after one epoch are left. */
START_TEST(early_stop)
{
    run r = {.problem = &problems[SPOILT], .rung = tare__rung_find("step"), .threads = 1, .patience = 1};
    write_data(r.problem);
    go(&r);
    ck_assert(!r.broken_off);
    ck_assert_msg(!(r.event[4] <= r.event[1]), "%g, then %g", r.event[1], r.event[4]);
    ck_assert(r.event[6] == 0); /* there was no third epoch */
    run one = {.problem = r.problem, .rung = r.rung, .threads = 1, .to = path_of("c.safetensors")};
    one.stop_at = ROWS / r.problem->batch + HELD / r.problem->batch + 2; /* asked once more at an epoch's end */
    go(&one);
    ck_assert(one.broken_off && one.weights == r.weights);
}
END_TEST

/* ---- predictions ---------------------------------------------------------------------------------------------*/

static void predict(const run *r, bool by_step, float *output, tare__score *score)
{
    tare__arm arm;
    tare__samples samples;
    ck_assert_int_eq(tare__samples_open(NULL, scratch_folder, TARE_DATASET_TEST, &samples), 0);
    ck_assert_msg(open_arm(&arm, r, TARE__INFER) == TARE_OK, "%s: %s", r->rung->name, tare_error_text());
    ck_assert_int_eq(tare_weights_load(arm.net, scratch_path("c.safetensors")), TARE_OK);
    const tare_loss loss = arm.net->type->training_loss;
    ck_assert_int_eq(tare__samples_fit(&samples, arm.net, loss), TARE_OK);
    const tare__evaluation e = {.samples = &samples, .arm = &arm, .loss = loss, .by_step = by_step, .output = output};
    ck_assert_msg(tare__evaluate(&e, &samples.test, score) == TARE_OK, "%s", tare_error_text());
    tare__arm_close(&arm);
    tare__samples_close(&samples);
}

/* Loss and metric of outputs, in double, as textbooks have them. */
static void check_score(const problem *p, const float *y, const tare__score *score)
{
    tare_array target;
    double loss = 0, right = 0;
    ck_assert_int_eq(tare_npy_read(NULL, scratch_path("Y_test.npy"), &target), TARE_OK);
    for (int r = 0; r < HELD && p->classes; ++r, y += p->classes) {
        int label = ((const int32_t *)target.data)[r], best = 0;
        double sum = 0;
        for (int c = 0; c < p->classes; ++c) {
            sum += exp((double)y[c]);
            best = y[c] > y[best] ? c : best;
        }
        loss += (log(sum) - (double)y[label]) / HELD;
        right += best == label;
    }
    for (int r = 0; r < HELD && !p->classes; ++r) {
        double error = (double)y[r] - (double)((const float *)target.data)[r];
        loss += error * error / 2 / HELD;
    }
    tare_array_fini(NULL, &target);
    ck_assert_double_eq_tol(score->loss, loss, 1e-6 * fmax(1, loss));
    if (p->classes)
        ck_assert_double_eq_tol(score->accuracy, right / HELD, 1e-12);
    else
        ck_assert_double_eq_tol(score->mse, 2 * loss, 1e-6 * fmax(1, loss));
}

/* HELD rows are no multiple of the batch: the last ones are filled up to one. Only these may have other bits than those
 * of a smaller batch, whose kernels may be others. */
START_TEST(predictions)
{
    static float wanted[HELD * 10], is[HELD * 10];
    const problem *p = &problems[_i];
    run r = {.problem = p, .rung = tare__rung_find("functional"), .threads = 1, .to = path_of("c.safetensors")};
    tare__score score, other;
    write_data(p);
    go(&r);
    predict(&r, false, is, &other);
    predict(&r, true, wanted, &score);
    ck_assert(score.whole && score.samples == HELD);
    check_score(p, wanted, &score);
    check_score(p, is, &other);
    const int64_t width = p->classes ? p->classes : 1, even = HELD / p->batch * p->batch;
    ck_assert(memcmp(is, wanted, (size_t)(even * width) * sizeof *is) == 0);
    for (int64_t i = even * width; i < HELD * width; ++i)
        ck_assert_float_eq_tol(is[i], wanted[i], 1e-4f);
    ck_assert_double_eq_tol(score.loss, other.loss, 1e-5);
    for (r.rung = tare__rungs; r.rung->name; ++r.rung) {
        for (r.threads = 1; r.threads < 4; r.threads += 2) {
            memset(is, 0, sizeof is);
            predict(&r, true, is, &other);
            ck_assert_msg(memcmp(is, wanted, sizeof is) == 0, "%s at %d threads", r.rung->name, r.threads);
            ck_assert(other.loss == score.loss);
            ck_assert(p->classes ? other.accuracy == score.accuracy : other.r2 == score.r2);
        }
    }
}
END_TEST

/* ---- no memory -----------------------------------------------------------------------------------------------*/

START_TEST(every_allocation_failing)
{
    static const char *const rungs[] = {"functional", "static_shape", "step"};
    const problem *p = &problems[GAUNTLET];
    const char *path = path_of("c.safetensors"), *begun = path_of("begun.safetensors");
    run wanted = unbroken(p, 2);
    run begin = {.problem = p, .rung = wanted.rung, .threads = 1, .patience = 2, .to = begun, .stop_at = 3};
    go(&begin);
    int64_t failures = 0, k = 1;
    for (bool done = false; !done; k += k < 40 ? 1 : 1 + k / 20) {
        run r = {
            .problem = p, .rung = tare__rung_find(rungs[_i]), .threads = 1, .patience = 2, .from = begun, .to = path};
        (void)unlink(path);
        tare_status status = train(&r, k, &done);
        if (done) {
            ck_assert_msg(status == TARE_OK, "%s", tare_error_text());
            assert_same(&wanted, &r, "after allocations", k);
            break;
        }
        ++failures;
        ck_assert_msg(status == TARE_NO_MEMORY, "allocation %lld: %s (%s)", (long long)k, tare_status_name(status),
                      tare_error_text());
        r.from = access(path, F_OK) == 0 ? path : begun;
        ck_assert_int_eq(train(&r, 0, &done), TARE_OK);
        assert_same(&wanted, &r, "after allocation", k);
        done = false;
    }
    ck_assert_int_gt(failures, 10);
}
END_TEST

int main(void)
{
    TCase *all = scratch_case("training");
    tcase_set_timeout(all, 200);
    tcase_add_test(all, an_evaluation_inside_is_in_the_epochs_time);
    tcase_add_loop_test(all, wherever_it_is_stopped, 0, PROBLEMS);
    tcase_add_loop_test(all, in_whichever_rung, 0, SPOILT);
    tcase_add_loop_test(all, from_the_middle_of_an_epoch, 0, PROBLEMS);
    tcase_add_test(all, early_stop);
    tcase_add_loop_test(all, predictions, 0, SPOILT);
    tcase_add_loop_test(all, every_allocation_failing, 0, 3);
    return scratch_run_case("training", all);
}

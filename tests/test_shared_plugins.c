/* test_shared_plugins.c - plug-ins loaded by a program that links to the shared library: what they bring is used, a bad
 * one is refused with a sentence and leaves the catalogue as it was, whatever fails on the way. */
#include <dlfcn.h>

#include "../core/plugin.h"
#include "spine.h"

static tare_runtime *rt;

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
}

static void teardown(void)
{
    spine_end(rt);
}

#define PLUGIN(name) TARE_PLUGIN_FOLDER "/" name ".so"

static bool loaded(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (handle)
        dlclose(handle);
    return handle != NULL;
}

START_TEST(a_plugin_brings_what_it_has)
{
    const tare_plugin *p = NULL, *again = NULL;
    must(tare_plugin_load(rt, PLUGIN("good"), &p));
    must(tare_plugin_load(rt, PLUGIN("good"), &again));
    ck_assert_ptr_eq(p, again);
    ck_assert_str_eq(p->name, "good");
    ck_assert_ptr_nonnull(tare_find(rt, TARE_KIND_OPERATOR, "twice"));
    tare_net *net;
    must(tare_net_new(rt, "doubling", 1, &net));
    tare_mode *m = spine_mode(rt, false);
    tare_value *x = spine_random(rt, 2, (const int64_t[]){2, 4}, 1);
    m->scope_begin(m, NULL);
    tare_value *y = tare_net_forward(m, net, x);
    must(m->error);
    ck_assert(spine_same(y, tare_scale(m, x, (tare_scale_attr){2})));
    m->scope_end(m, NULL, 0);
    tare_value_drop(x);
    tare_imperative_free(m);
    tare_net_free(net);
}
END_TEST

START_TEST(it_stays_until_its_last_runtime_ends)
{
    tare_runtime *other = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    ck_assert(!loaded(PLUGIN("good")));
    must(tare_plugin_load(other, PLUGIN("good"), NULL));
    must(tare_plugin_load(rt, PLUGIN("good"), NULL));
    spine_end(other);
    ck_assert(loaded(PLUGIN("good")));
    ck_assert_ptr_nonnull(tare_find(rt, TARE_KIND_NET, "doubling"));
    spine_end(rt);
    ck_assert(!loaded(PLUGIN("good")));
    setup();
}
END_TEST

static const struct {
    const char *path;
    tare_status status;
    const char *text;
} bad[] = {
    {PLUGIN("taken"), TARE_BAD_ARGUMENT, "taken.so: net 'chain' is registered already"},
    {PLUGIN("inconsistent"), TARE_BAD_ARGUMENT, "operator 'bare' cannot be registered: its last variant is not a"},
    {PLUGIN("older"), TARE_BAD_FILE, "older.so: it was made for ABI 999 of plug-ins (need 2)"},
    {PLUGIN("other_headers"), TARE_BAD_FILE, "compiled with the headers of another tare"},
    {PLUGIN("no_entry"), TARE_BAD_FILE, "it is no plug-in of tare"},
    {PLUGIN("missing_symbol"), TARE_BAD_FILE, "it cannot be loaded: undefined symbol: tare_nobody_has_this"},
    {PLUGIN("none"), TARE_NOT_FOUND, "No such file"},
    {"tests/plugins/good.c", TARE_BAD_FILE, "it cannot be loaded"},
    {"tests", TARE_BAD_FILE, "it cannot be loaded"},
    {"tare.h", TARE_BAD_FILE, "tare.h: it cannot be loaded"}, /* not looked for among the system's libraries */
    {NULL, TARE_NOT_FOUND, "needs a name"},
};

START_TEST(a_bad_one_is_refused_and_leaves_nothing)
{
    int n = tare_registered(rt), n_kernels = (int)rt->n_kernels;
    expect_error(tare_plugin_load(rt, bad[_i].path, NULL), bad[_i].status, bad[_i].text);
    ck_assert_int_eq(tare_registered(rt), n);
    ck_assert_int_eq((int)rt->n_kernels, n_kernels);
    ck_assert_ptr_null(tare_find(rt, TARE_KIND_OPERATOR, "twice"));
    must(tare_plugin_load(rt, PLUGIN("good"), NULL));
}
END_TEST

START_TEST(nets_that_lack_something_are_not_built)
{
    tare_net *net;
    must(tare_plugin_load(rt, PLUGIN("two_nets"), NULL));
    expect_error(tare_net_new(rt, "first", 1, &net), TARE_BAD_ARGUMENT, "net 'first' cannot be built");
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    for (int64_t k = 1, done = 0; !done; ++k) {
        int n = tare_registered(rt);
        rt->memory.fail_at = rt->memory.n_requests + k;
        tare_status status = tare_plugin_load(rt, PLUGIN("good"), NULL);
        done = rt->memory.n_requests < rt->memory.fail_at;
        rt->memory.fail_at = 0;
        ck_assert_int_eq(status, done ? TARE_OK : TARE_NO_MEMORY);
        ck_assert_int_eq(tare_registered(rt), n + (done ? 2 : 0));
        ck_assert_int_eq(tare_find(rt, TARE_KIND_OPERATOR, "twice") != NULL, done);
        if (!done)
            ck_assert(!loaded(PLUGIN("good")));
        spine_end(rt);
        setup();
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("plugins");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_plugin_brings_what_it_has);
    tcase_add_test(tests, it_stays_until_its_last_runtime_ends);
    tcase_add_loop_test(tests, a_bad_one_is_refused_and_leaves_nothing, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tests, nets_that_lack_something_are_not_built);
    tcase_add_test(tests, every_allocation_may_fail);
    return spine_run("plugins", &tests, 1);
}

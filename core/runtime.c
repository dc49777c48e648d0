/* runtime.c - a runtime's beginning and end, and its small services. */
#include "runtime.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime_private.h"
#include "threads.h"

static tare_status check_options(const tare_options *o)
{
    if (o->threads < 0 || o->threads > TARE_THREADS_MOST)
        return tare_error(TARE_BAD_ARGUMENT, "threads is %d (need 1 to %d)", o->threads, TARE_THREADS_MOST);
    if ((unsigned)o->kernels > TARE_KERNELS_ADDED || (unsigned)o->storage > TARE_STORAGE_MALLOC ||
        (unsigned)o->layout > TARE_LAYOUT_BLOCKED || (unsigned)o->isa_limit > TARE_ISA_COUNT ||
        (unsigned)o->engine > TARE_ENGINE_QUEUE)
        return tare_error(TARE_BAD_ARGUMENT, "an option of the runtime is out of its range");
    if ((o->kernels == TARE_KERNELS_ADDED) != (o->added != NULL))
        return tare_error(TARE_BAD_ARGUMENT, "added kernels need the name of their set, and no others have one");
    if (o->bulk < 0 || o->bulk > TARE_BULK_MOST)
        return tare_error(TARE_BAD_ARGUMENT, "bulk is %d (need 1 to %d)", o->bulk, TARE_BULK_MOST);
    if (o->engine == TARE_ENGINE_QUEUE && o->open_device)
        return tare_error(TARE_BAD_ARGUMENT,
                          "the engine that queues is the CPU's (a device of one's own queues itself)");
    return TARE_OK;
}

static tare_status check_device(const tare_device *d)
{
    if (d->abi != TARE_DEVICE_ABI)
        return tare_error(TARE_IMPOSSIBLE, "the device was made for ABI %u of the device table (need %u)",
                          (unsigned)d->abi, (unsigned)TARE_DEVICE_ABI);
    const char *wrong = NULL;
    if (!d->close || !d->name || !d->alloc || !d->free || !d->copy || !d->run || !d->wait)
        wrong = "a slot that every device needs is empty";
    else if (!d->capture != !d->launch || !d->capture != !d->release)
        wrong = "capture, launch and release go together";
    else if (d->direct && !(d->host_visible && d->synchronous))
        wrong = "direct calls need a synchronous device that the host can see";
    else if (!d->queued != !d->reach)
        wrong = "queued and reach go together";
    return wrong ? tare_error(TARE_BAD_ARGUMENT, "device '%s' cannot be used: %s", d->name ? d->name : "", wrong)
                 : TARE_OK;
}

static tare_status open_device(tare_runtime *rt)
{
    if (!rt->options.open_device)
        return rt->options.engine == TARE_ENGINE_QUEUE ? tare__engine_open(rt, &rt->device)
                                                       : tare__cpu_open(rt, &rt->device);
    tare_device *d = NULL;
    tare_status status = rt->options.open_device(rt, rt->options.device_owner, &d);
    if (status != TARE_OK)
        return status;
    status = check_device(d);
    if (status == TARE_OK)
        rt->device = d;
    else if (d->close)
        d->close(d);
    return status;
}

tare_status tare_runtime_new(const tare_options *options, tare_runtime **out)
{
    tare_options o = options ? *options : (tare_options){.isa_limit = TARE_ISA_COUNT};
    tare_status status = check_options(&o);
    if (status != TARE_OK)
        return status;
    tare_runtime *rt = tare_memory_take_zeroed(NULL, TARE_MEMORY_RECORD, 1, sizeof *rt);
    if (!rt)
        return TARE_NO_MEMORY;
    rt->options = o;
    rt->options.threads = o.threads > 0 ? o.threads : 1;
    rt->isa = tare__cpu_isa();
    if (o.isa_limit < rt->isa)
        rt->isa = o.isa_limit;
    rt->owner = pthread_self();
    if (pthread_mutex_init(&rt->dropped_lock, NULL) != 0) {
        tare_memory_give(NULL, TARE_MEMORY_RECORD, rt, sizeof *rt);
        return tare_error(TARE_NO_MEMORY, "a lock could not be made");
    }
    rt->site_text.memory = &rt->memory;
    status = open_device(rt);
    if (status == TARE_OK)
        status = tare__catalogue_init(rt);
    if (status != TARE_OK) {
        tare_runtime_free(rt);
        return status;
    }
    *out = rt;
    return TARE_OK;
}

int64_t tare_runtime_free(tare_runtime *rt)
{
    if (!rt)
        return 0;
    tare__records_drain(rt);
    tare_runtime_trim(rt);
    tare__catalogue_fini(rt);
    if (rt->device)
        rt->device->close(rt->device);
    tare__added_close(rt);
    tare__sites_fini(rt);
    tare__records_fini(rt);
    tare__plugins_fini(rt);
    int64_t out = rt->memory.n_live;
    (void)pthread_mutex_destroy(&rt->dropped_lock);
    tare_memory_give(NULL, TARE_MEMORY_RECORD, rt, sizeof *rt);
    return out;
}

tare_status tare_runtime_wait(tare_runtime *rt)
{
    return rt->device->wait(rt->device);
}

tare_counts tare_runtime_counts(const tare_runtime *rt)
{
    tare_counts counts = rt->counts;
    counts.allocations = rt->memory.n_requests;
    return counts;
}

void tare_runtime_adopt(tare_runtime *rt)
{
    rt->owner = pthread_self();
}

void tare_runtime_name_operators(tare_runtime *rt, const tare_op *accumulate, const tare_op *fill, const tare_op *copy)
{
    rt->accumulate = accumulate;
    rt->fill = fill;
    rt->copy = copy;
}

tare_status tare_op_error(const tare_args *a, tare_status status, const char *format, ...)
{
    char text[448];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return a->path ? tare_error(status, "%s '%s': %s", a->op->name, a->path, text)
                   : tare_error(status, "%s: %s", a->op->name, text);
}

/* register.c - what graph/ adds to a runtime's catalogue: the packers and the passes that it plans with, and the
 * capture service. */
#include <stddef.h>

#include "../core/capture.h"
#include "graph_private.h"

/* In the order in which they are run. */
static const tare_pass passes[] = {
    {"cse", "what an earlier node has made is not made again", offsetof(tare_plan_options, no_cse) + 1,
     tare__plan_merge},
    {"dce", "what no result and no effect depends on is not run", offsetof(tare_plan_options, no_dce) + 1,
     tare__plan_dce},
    {"folding", "what is the same at every run is computed when the plan is made",
     offsetof(tare_plan_options, no_folding) + 1, tare__plan_fold},
    {"add_to", "a result that is only added to a sum is added as it is made",
     offsetof(tare_plan_options, no_add_to) + 1, tare__plan_add_to},
};

tare_status tare_graph_register(tare_runtime *rt)
{
    int before = tare_registered(rt);
    tare_status status = tare_pack_register(rt);
    for (size_t i = 0; i < sizeof passes / sizeof *passes && status == TARE_OK; ++i)
        status = tare_register(rt, TARE_KIND_PASS, &passes[i]);
    if (status == TARE_OK)
        status = tare_register(rt, TARE_KIND_SERVICE, &tare__capture_service);
    if (status != TARE_OK)
        tare_unregister(rt, before);
    return status;
}

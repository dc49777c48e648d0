/* register.c - what graph/ adds to a runtime's catalogue: its packers and the capture service. */
#include "../core/capture.h"
#include "graph_private.h"

tare_status tare_graph_register(tare_runtime *rt)
{
    static const tare_packer *const packer[] = {&tare__packer_greedy};
    int before = tare_registered(rt);
    tare_status status = TARE_OK;
    for (size_t i = 0; i < sizeof packer / sizeof *packer && status == TARE_OK; ++i)
        status = tare_register(rt, TARE_KIND_PACKER, packer[i]);
    if (status == TARE_OK)
        status = tare_register(rt, TARE_KIND_SERVICE, &tare__capture_service);
    if (status != TARE_OK)
        tare_unregister(rt, before);
    return status;
}

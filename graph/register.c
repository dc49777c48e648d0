/* register.c - what graph/ adds to a runtime's catalogue: the packers that it plans with, and the capture service. */
#include "../core/capture.h"
#include "graph_private.h"

tare_status tare_graph_register(tare_runtime *rt)
{
    int before = tare_registered(rt);
    tare_status status = tare_pack_register(rt);
    if (status == TARE_OK)
        status = tare_register(rt, TARE_KIND_SERVICE, &tare__capture_service);
    if (status != TARE_OK)
        tare_unregister(rt, before);
    return status;
}

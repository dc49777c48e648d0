/* block.h - layers as objects: what a Gluon Block and a HybridBlock add around the same layer functions.
 *
 * A net's body is one inline function over its layer records, compiled once for each way of reaching a layer:
 *   direct   the layer's function is called;
 *   block    through the object: virtual call, parameters read from the object with the checks of Parameter.data();
 *   hybrid   as block, and what HybridBlock adds a call: is it captured (`active`), are shapes known, parameters
 *            collected by name, operators reached through a table.
 * (MXNet 1.9, python/mxnet/gluon/block.py: Block.__call__, HybridBlock.forward, HybridBlock.hybrid_forward.)
 *
 * A captured child is one operator in the net that calls it. Threads: the runtime's. */
#ifndef TARE_NETS_BLOCK_H
#define TARE_NETS_BLOCK_H

#include "../core/capture.h"
#include "../ops/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TARE_BLOCK_PARAMETERS = 8 };

typedef struct tare_block tare_block;

/* The operators by catalogue position: what `F` is to hybrid_forward. */
enum {
#define TARE_OPERATOR_INDEX(op, n)              TARE_F_##op,
#define TARE_OPERATOR_INDEX_ATTR(op, n, fields) TARE_F_##op,
    TARE_OPERATORS(TARE_OPERATOR_INDEX, TARE_OPERATOR_INDEX_ATTR) TARE_F_COUNT
#undef TARE_OPERATOR_INDEX
#undef TARE_OPERATOR_INDEX_ATTR
};
extern TARE_API const tare_op *const tare_operator_table[TARE_F_COUNT];

typedef struct {
    const char *name;
    const char *parameter[TARE_BLOCK_PARAMETERS]; /* names, in the order of `parameters` below; NULL ends */
    tare_value *(*forward)(tare_mode *, tare_block *, tare_value *x);
    tare_value *(*hybrid_forward)(tare_mode *, tare_block *, const tare_op *const *F, tare_value *x,
                                  tare_value *const *parameters);
} tare_block_class;

typedef struct {
    const char *name;
    tare_value *value; /* borrowed from the net */
} tare_block_parameter;

struct tare_block {
    const tare_block_class *class_;
    const char *name; /* path in the net, borrowed from its arena */
    void *layer;
    tare_block *child; /* [n_children] */
    int n_children;
    tare_block_parameter parameter[TARE_BLOCK_PARAMETERS];
    int n_parameters;
    const tare_capture_service *service; /* with captured */
    tare_captured *captured;             /* NULL: not active */
};

/* How a net's body reaches its layers. */
typedef enum { TARE_API_DIRECT, TARE_API_BLOCK, TARE_API_HYBRID, TARE_API_COUNT } tare_api;

/* Parameter.data(): the value, after the checks that it is initialised and lives here. Poison on error. */
TARE_API tare_value *tare_block_data(tare_mode *, const tare_block *, int parameter);
/* HybridBlock.forward. */
TARE_API tare_value *tare_block_hybrid(tare_mode *, tare_block *, tare_value *x);

/* Captures every child of `root` as an operator of its own, in the service's way; NULL options: no child is captured
 * any more. NOT_FOUND without the service. */
TARE_API tare_status tare_block_hybridize(tare_runtime *, tare_block *root, const tare_capture_options *);

/* One layer call in a net's body. `direct` is known where it is compiled. */
static inline __attribute__((always_inline)) tare_value *
tare_block_call(tare_mode *m, tare_block *b, tare_value *(*direct)(tare_mode *, tare_block *, tare_value *),
                tare_value *x, const tare_api api)
{
    if (api == TARE_API_HYBRID)
        return tare_block_hybrid(m, b, x);
    return api == TARE_API_BLOCK ? b->class_->forward(m, b, x) : direct(m, b, x);
}

#ifdef __cplusplus
}
#endif
#endif

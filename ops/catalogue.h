/* catalogue.h - every built-in operator in one line: from it come the prototypes, the registration, the tests, the
 * manual.
 *
 * OP(name, inputs) or OPA(name, inputs, attribute fields); inputs MANY: any number, TO_MANY: one, and several results.
 * The block that goes with a line is the record tare_op_<name> in one file of ops/. Gradient operators are operators
 * like any other. */
#ifndef TARE_OPS_CATALOGUE_H
#define TARE_OPS_CATALOGUE_H

#include "../core/op.h"

/* Of convolution and its gradients, and of the poolings. */
#define TARE_CONV2D_FIELDS int64_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, groups;
#define TARE_POOL2D_FIELDS                                                                                             \
    int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;                                                      \
    bool ceil_mode;

#define TARE_OPERATORS(OP, OPA)                                                                                        \
    /* products (dense.c) */                                                                                           \
    OP(dense, 3)                                                                                                       \
    OPA(matmul, 2, bool transpose_a; bool transpose_b;)                                                                \
    /* activations (activation.c) */                                                                                   \
    OP(relu, 1)                                                                                                        \
    OP(relu_grad, 2)                                                                                                   \
    OP(tanh, 1)                                                                                                        \
    OP(tanh_grad, 2)                                                                                                   \
    OP(sigmoid, 1)                                                                                                     \
    OP(sigmoid_grad, 2)                                                                                                \
    /* arithmetic with broadcasting (arithmetic.c) */                                                                  \
    OP(add, 2)                                                                                                         \
    OP(sub, 2)                                                                                                         \
    OP(mul, 2)                                                                                                         \
    OPA(scale, 1, double factor;)                                                                                      \
    OP(accumulate, 2)                                                                                                  \
    /* moving bits (copy.c) */                                                                                         \
    OP(copy, 1)                                                                                                        \
    OPA(fill, 1, double value;)                                                                                        \
    /* views (view.c, slice.c) */                                                                                      \
    OP(detach, 1)                                                                                                      \
    OP(graph_break, 1)                                                                                                 \
    OPA(reshape, 1, tare_ints shape;)                                                                                  \
    OP(flatten, 1)                                                                                                     \
    OPA(transpose, 1, tare_ints axes;)                                                                                 \
    OPA(flip, 1, tare_ints axes;)                                                                                      \
    OPA(expand, 1, tare_ints shape;)                                                                                   \
    OPA(slice, 1, int64_t axis; int64_t begin; int64_t end; int64_t step;)                                             \
    OPA(slice_grad, 2, int64_t axis; int64_t begin; int64_t end; int64_t step;)                                        \
    /* joining and cutting (concat.c) */                                                                               \
    OPA(concat, MANY, int64_t axis;)                                                                                   \
    OPA(split, TO_MANY, int64_t axis; int64_t parts;)                                                                  \
    /* reductions (reduction.c, reduction_grad.c) */                                                                   \
    OPA(sum, 1, tare_ints axes; bool keep_dims;)                                                                       \
    OPA(sum_grad, 2, tare_ints axes; bool keep_dims;)                                                                  \
    OPA(mean, 1, tare_ints axes; bool keep_dims;)                                                                      \
    OPA(mean_grad, 2, tare_ints axes; bool keep_dims;)                                                                 \
    OP(sum_like, 2)                                                                                                    \
    /* losses (loss.c) */                                                                                              \
    OP(softmax_cross_entropy, 2)                                                                                       \
    OP(softmax_cross_entropy_grad, 3)                                                                                  \
    OP(l2_loss, 2)                                                                                                     \
    OP(l2_loss_grad, 3)                                                                                                \
    /* updates (update.c) */                                                                                           \
    OPA(sgd, 4, double momentum; double weight_decay;)                                                                 \
    OPA(adam, 5, double beta1; double beta2; double epsilon; double weight_decay;)                                     \
    OPA(adam_rate, 2, double beta1; double beta2;)                                                                     \
    OP(increment, 1)                                                                                                   \
    /* randomness (dropout.c) */                                                                                       \
    OPA(dropout, 2, double rate; int64_t seed;)                                                                        \
    OPA(dropout_grad, 2, double rate;)                                                                                 \
    /* rows by number (gather.c) */                                                                                    \
    OP(gather, 2)                                                                                                      \
    OP(gather_grad, 3)                                                                                                 \
    /* convolution (conv2d.c) */                                                                                       \
    OPA(conv2d, 3, TARE_CONV2D_FIELDS)                                                                                 \
    OPA(conv2d_grad_data, 3, TARE_CONV2D_FIELDS)                                                                       \
    OPA(conv2d_grad_weight, 3, TARE_CONV2D_FIELDS)                                                                     \
    /* pooling (max_pool2d.c, avg_pool2d.c) */                                                                         \
    OPA(max_pool2d, 1, TARE_POOL2D_FIELDS)                                                                             \
    OP(max_pool2d_grad, 3)                                                                                             \
    OPA(avg_pool2d, 1, TARE_POOL2D_FIELDS bool count_include_pad;)                                                     \
    OPA(avg_pool2d_grad, 2, TARE_POOL2D_FIELDS bool count_include_pad;)                                                \
    /* batch normalization (batch_norm.c, batch_norm_grad.c) */                                                        \
    OPA(batch_norm, 5, double epsilon; double momentum;)                                                               \
    OP(batch_norm_grad, 5)                                                                                             \
    OPA(batch_norm_inference, 5, double epsilon;)                                                                      \
    OPA(batch_norm_inference_grad, 5, double epsilon;)                                                                 \
    /* clipping by global norm (clip.c) */                                                                             \
    OP(sum_of_squares, 1)                                                                                              \
    OP(clip_factor, 2)

#endif

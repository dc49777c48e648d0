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
#define TARE_RESPONSE_FIELDS                                                                                           \
    int64_t size;                                                                                                      \
    double alpha, beta, k;

#define TARE_OPERATORS(OP, OPA)                                                                                        \
    /* products (dense.c, matmul.c, dot.c) */                                                                          \
    OP(dense, 3)                                                                                                       \
    OPA(matmul, 2, bool transpose_a; bool transpose_b;)                                                                \
    OP(outer, 2)                                                                                                       \
    OP(dot, 2)                                                                                                         \
    OP(sum_of_squares, 1)                                                                                              \
    /* activations (activation.c) */                                                                                   \
    OP(relu, 1)                                                                                                        \
    OP(relu_grad, 2)                                                                                                   \
    OP(tanh, 1)                                                                                                        \
    OP(tanh_grad, 2)                                                                                                   \
    OP(sigmoid, 1)                                                                                                     \
    OP(sigmoid_grad, 2)                                                                                                \
    OP(softsign, 1)                                                                                                    \
    OP(softsign_grad, 2)                                                                                               \
    OP(softplus, 1)                                                                                                    \
    OP(softplus_grad, 2)                                                                                               \
    OPA(leaky_relu, 1, double slope;)                                                                                  \
    OPA(leaky_relu_grad, 2, double slope;)                                                                             \
    OPA(elu, 1, double alpha;)                                                                                         \
    OPA(elu_grad, 2, double alpha;)                                                                                    \
    /* x times a gate (gated.c) */                                                                                     \
    OPA(gelu, 1, bool tanh;)                                                                                           \
    OPA(gelu_grad, 2, bool tanh;)                                                                                      \
    OP(silu, 1)                                                                                                        \
    OP(silu_grad, 2)                                                                                                   \
    OP(hard_swish, 1)                                                                                                  \
    OP(hard_swish_grad, 2)                                                                                             \
    /* elementary functions (elementary.c) */                                                                          \
    OP(neg, 1)                                                                                                         \
    OP(exp, 1)                                                                                                         \
    OP(log, 1)                                                                                                         \
    OP(sqrt, 1)                                                                                                        \
    OP(sqrt_grad, 2)                                                                                                   \
    OP(square, 1)                                                                                                      \
    OP(square_grad, 2)                                                                                                 \
    OP(abs, 1)                                                                                                         \
    OP(abs_grad, 2)                                                                                                    \
    /* the greater and the lesser (extremum.c) */                                                                      \
    OP(maximum, 2)                                                                                                     \
    OP(minimum, 2)                                                                                                     \
    OP(maximum_grad, 3)                                                                                                \
    OPA(clip, 1, double low; double high;)                                                                             \
    OPA(clip_grad, 2, double low; double high;)                                                                        \
    /* masks (comparison.c, where.c) */                                                                                \
    OP(equal, 2)                                                                                                       \
    OP(not_equal, 2)                                                                                                   \
    OP(less, 2)                                                                                                        \
    OP(less_equal, 2)                                                                                                  \
    OP(greater, 2)                                                                                                     \
    OP(greater_equal, 2)                                                                                               \
    OP(where, 3)                                                                                                       \
    /* arithmetic with broadcasting (arithmetic.c) */                                                                  \
    OP(add, 2)                                                                                                         \
    OP(sub, 2)                                                                                                         \
    OP(mul, 2)                                                                                                         \
    OP(div, 2)                                                                                                         \
    OPA(scale, 1, double factor;)                                                                                      \
    OP(accumulate, 2)                                                                                                  \
    /* moving bits (copy.c, cast.c, pad.c) */                                                                          \
    OP(copy, 1)                                                                                                        \
    OPA(fill, 1, double value;)                                                                                        \
    OPA(cast, 1, tare_dtype dtype;)                                                                                    \
    OPA(pad, 1, tare_ints before; tare_ints after; double value;)                                                      \
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
    /* joining and cutting (concat.c, split.c) */                                                                      \
    OPA(concat, MANY, int64_t axis;)                                                                                   \
    OPA(stack, MANY, int64_t axis;)                                                                                    \
    OPA(split, TO_MANY, int64_t axis; int64_t parts;)                                                                  \
    /* reductions (reduction.c, reduction_grad.c) */                                                                   \
    OPA(sum, 1, tare_ints axes; bool keep_dims;)                                                                       \
    OPA(sum_grad, 2, tare_ints axes; bool keep_dims;)                                                                  \
    OPA(mean, 1, tare_ints axes; bool keep_dims;)                                                                      \
    OPA(mean_grad, 2, tare_ints axes; bool keep_dims;)                                                                 \
    OP(sum_like, 2)                                                                                                    \
    /* extremes (extreme.c) */                                                                                         \
    OPA(max, 1, tare_ints axes; bool keep_dims;)                                                                       \
    OPA(min, 1, tare_ints axes; bool keep_dims;)                                                                       \
    OPA(argmax, 1, tare_ints axes; bool keep_dims;)                                                                    \
    OPA(argmin, 1, tare_ints axes; bool keep_dims;)                                                                    \
    OPA(max_grad, 3, tare_ints axes; bool keep_dims;)                                                                  \
    /* variance (variance.c) */                                                                                        \
    OPA(variance, 1, tare_ints axes; bool keep_dims; int64_t correction;)                                              \
    OPA(variance_grad, 3, tare_ints axes; bool keep_dims; int64_t correction;)                                         \
    /* norms (l2_norm.c, l2_normalise.c) */                                                                            \
    OPA(l2_norm, 1, tare_ints axes; bool keep_dims;)                                                                   \
    OPA(l2_normalise, 1, tare_ints axes; double epsilon;)                                                              \
    OPA(l2_normalise_grad, 3, tare_ints axes; double epsilon;)                                                         \
    /* softmax (softmax.c) */                                                                                          \
    OPA(softmax, 1, int64_t axis;)                                                                                     \
    OPA(softmax_grad, 2, int64_t axis;)                                                                                \
    OPA(log_softmax, 1, int64_t axis;)                                                                                 \
    OPA(log_softmax_grad, 2, int64_t axis;)                                                                            \
    /* losses (loss.c) */                                                                                              \
    OP(softmax_cross_entropy, 2)                                                                                       \
    OP(softmax_cross_entropy_grad, 3)                                                                                  \
    /* losses of pairs (pair_loss.c) */                                                                                \
    OP(l2_loss, 2)                                                                                                     \
    OP(l2_loss_grad, 3)                                                                                                \
    OP(l1_loss, 2)                                                                                                     \
    OP(l1_loss_grad, 3)                                                                                                \
    OPA(huber_loss, 2, double delta;)                                                                                  \
    OPA(huber_loss_grad, 3, double delta;)                                                                             \
    OP(sigmoid_cross_entropy, 2)                                                                                       \
    OP(sigmoid_cross_entropy_grad, 3)                                                                                  \
    /* updates (update.c, adam.c, rms.c) */                                                                            \
    OPA(sgd, 4, double momentum; double weight_decay; bool nesterov;)                                                  \
    OPA(adam, 5, double beta1; double beta2; double epsilon; double weight_decay; bool decoupled;)                     \
    OPA(rmsprop, 4, double alpha; double epsilon; double weight_decay;)                                                \
    OPA(adagrad, 4, double epsilon; double weight_decay;)                                                              \
    OPA(adam_rate, 2, double beta1; double beta2;)                                                                     \
    OP(increment, 1)                                                                                                   \
    /* randomness (dropout.c) */                                                                                       \
    OPA(dropout, 2, double rate; int64_t seed;)                                                                        \
    OPA(dropout_grad, 2, double rate;)                                                                                 \
    /* rows by number (gather.c, one_hot.c) */                                                                         \
    OP(gather, 2)                                                                                                      \
    OP(gather_grad, 3)                                                                                                 \
    OPA(one_hot, 1, int64_t depth; tare_dtype dtype;)                                                                  \
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
    /* other image operators (local_response_norm.c, upsample.c) */                                                    \
    OPA(local_response_norm, 1, TARE_RESPONSE_FIELDS)                                                                  \
    OPA(local_response_norm_grad, 3, TARE_RESPONSE_FIELDS)                                                             \
    OPA(upsample_nearest2d, 1, int64_t scale_h; int64_t scale_w;)                                                      \
    /* clipping by global norm (clip.c) */                                                                             \
    OP(clip_factor, 2)

#endif

/* conv2d.h - what convolution and its two gradients share: the geometry, its pieces, and which columns a tap meets.
 *
 *     y[n,k,oh,ow] = bias[k] + sum over c, r, s of  w[k,c,r,s] x[n, g(k) C/G + c, ih, iw]
 *     ih = oh stride_h - pad_h + r dilation_h, iw likewise;  what lies outside x is zero
 *
 * x [N,C,H,W], w [K,C/G,R,S], y [N,K,OH,OW]; G groups, g(k) the one that output channel k is in. (No flip: the
 * cross-correlation that the field calls convolution.) */
#ifndef TARE_OPS_CONV2D_H
#define TARE_OPS_CONV2D_H

#include "record.h"

/* The attributes of all three look like this. */
typedef struct {
    TARE_CONV2D_FIELDS
} __attribute__((may_alias)) tare_conv_attr;
_Static_assert(sizeof(tare_conv_attr) == sizeof(tare_conv2d_attr) &&
                   sizeof(tare_conv_attr) == sizeof(tare_conv2d_grad_data_attr) &&
                   sizeof(tare_conv_attr) == sizeof(tare_conv2d_grad_weight_attr),
               "one view of three structs");

/* The first words of every kernel's geometry. A piece is a run of images, `images` of them or one less. */
typedef struct {
    int64_t n, c, h, w, k, r, s, oh, ow; /* c and k of all groups */
    int64_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, groups;
    int64_t dtype, images;
} tare_conv;
enum { TARE_CONV_WORDS = sizeof(tare_conv) / sizeof(int64_t) };

static inline const tare_conv *tare_conv_of(const tare_call *c)
{
    return (const tare_conv *)(const void *)c->g;
}

static inline int64_t tare_conv_plane(const tare_conv *v) /* elements of a plane of y */
{
    return v->oh * v->ow;
}
static inline int64_t tare_conv_taps(const tare_conv *v) /* products in an element of y */
{
    return v->c / v->groups * v->r * v->s;
}

/* Channels of a chain of products: at most about `most` taps, as even as can be. */
static inline int64_t tare_conv_block(int64_t channels, int64_t kernel, int64_t most)
{
    const int64_t blocks = (channels * kernel + most - 1) / most;
    return blocks < 2 ? channels : (channels + blocks - 1) / blocks;
}

/* The range [from, end). */
typedef struct {
    int64_t from, end;
} tare_conv_span;

/* As even as can be: a last piece of few images would be all that one of two threads has in its share. */
static inline tare_conv_span tare_conv_piece(const tare_conv *v, int piece)
{
    const int64_t pieces = v->images > 0 ? (v->n + v->images - 1) / v->images : 0;
    return pieces ? (tare_conv_span){v->n * piece / pieces, v->n * (piece + 1) / pieces} : (tare_conv_span){0, 0};
}

/* The outputs along one axis for which `first + o stride`, the place where a tap lands, lies within `size`. */
static inline tare_conv_span tare_conv_inside(int64_t first, int64_t stride, int64_t outputs, int64_t size)
{
    int64_t from = first < 0 ? (stride - 1 - first) / stride : 0;
    int64_t end = first < size ? (size - 1 - first) / stride + 1 : 0;
    end = end < outputs ? end : outputs;
    return (tare_conv_span){from < end ? from : end, end};
}

/* Whether x is its own columns: a kernel of one tap that moves nothing. */
static inline bool tare_conv_plain(const tare_desc *w, const tare_conv_attr *at)
{
    return w->dim[2] == 1 && w->dim[3] == 1 && at->stride_h == 1 && at->stride_w == 1 && at->pad_h == 0 &&
           at->pad_w == 0;
}

/* Fills the geometry from the descs of x, w and y, and sets the words used; one piece. */
tare_conv *tare__conv_prepare(const tare_args *, const tare_desc *x, const tare_desc *w, const tare_desc *y,
                              tare_work *);
/* Cuts the batch into at most `most` pieces of whole images, each of about a MFLOP or more. */
void tare__conv_cut(tare_conv *, int64_t most, tare_work *);

/* Into how many groups of images and runs of channels a convolution of so many `cycles` is cut, and what that costs:
 * what each run of channels makes of the images again (`reading` cycles for all images) and each group of images of the
 * weights again (`weights`) is weighed against evenness, which many pieces give. */
typedef struct {
    int64_t images, across;
    double cost;
} tare_conv_grid;
tare_conv_grid tare__conv_grid(double cycles, int64_t most_images, int64_t most_across, double reading, double weights);

/* How many images of `plane` outputs are put side by side: vectors are fuller, at the cost of `moving` what else would
 * stay where it is; `room`: the most that fit. */
int64_t tare__conv_joined(int64_t plane, double moving, int64_t room);

/* Pieces that share their images, and output channels of each. */
typedef struct {
    int64_t across, rows;
} tare_conv_pieces;
/* Cuts images and `rows` output channels of a group as the grid says, images in multiples of `together`, channels of
 * `unit`; sets the pieces. */
tare_conv_pieces tare__conv_pieces_of(tare_conv *, tare_conv_grid, int64_t together, int64_t rows, int64_t unit,
                                      tare_work *);
/* Cuts images, `joined` of them together, into groups, and `rows` output channels of a group into runs of them; sets
 * the pieces. `reading`: cycles for making what is multiplied of all images. */
tare_conv_pieces tare__conv_pieces(tare_conv *, int64_t joined, int64_t rows, double reading, tare_work *);

/* The piece's part of `size` output channels of a group. */
static inline tare_conv_span tare_conv_rows(int piece, tare_conv_pieces p, int64_t size)
{
    const int64_t from = piece % p.across * p.rows, end = from + p.rows;
    return (tare_conv_span){from < size ? from : size, end < size ? end : size};
}

/* What such a piece makes of dx. */
void tare__conv2d_grad_data_part(const tare_call *, int piece, tare_conv_pieces, tare_tile *);

/* The operands of each direction: data, weights, result (conv2d's, whatever is computed from what). */
typedef struct {
    const tare_desc *x, *w, *y;
} tare_conv_operands;
static inline tare_conv_operands tare_conv_forward(const tare_args *a, const tare_desc_ref *out)
{
    return (tare_conv_operands){a->in[0], a->in[1], out[0]};
}
static inline tare_conv_operands tare_conv_to_data(const tare_args *a)
{
    return (tare_conv_operands){a->in[2], a->in[1], a->in[0]};
}
static inline tare_conv_operands tare_conv_to_weight(const tare_args *a)
{
    return (tare_conv_operands){a->in[1], a->in[2], a->in[0]};
}

/* What kernels read of them; images: all. */
tare_conv tare__conv_geometry(const tare_conv_operands *, const tare_conv_attr *);
/* y's of x, w and the attributes of a convolution, where it is not known yet. */
tare_desc tare__conv_result(const tare_args *);

/* Whether the whole image, lowered, is small (conv2d_lowered.h), and there is something to lower. */
bool tare__conv_small(const tare_conv_operands *, const tare_conv_attr *);

/* The images that a piece makes of dx, of kernels whose pieces are runs of them. */
void tare__conv2d_grad_data_tile(const tare_call *, int piece, tare_tile *);

/* conv2d_reference.c */
int tare__conv2d_reference(const tare_call *, int piece, int worker);
int tare__conv2d_grad_data_reference(const tare_call *, int piece, int worker);
int tare__conv2d_grad_weight_reference(const tare_call *, int piece, int worker);
void tare__prepare_conv2d_reference(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_data_reference(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_weight_reference(const tare_args *, const tare_desc_ref *out, tare_work *);

/* conv2d_im2col.c */
TARE_KERNEL_DECLARE(conv2d_im2col);
TARE_KERNEL_DECLARE(conv2d_grad_data_im2col);
TARE_KERNEL_DECLARE(conv2d_grad_weight_im2col);
void tare__prepare_conv2d_im2col(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_data_im2col(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_weight_im2col(const tare_args *, const tare_desc_ref *out, tare_work *);

/* conv2d_lowered_fused.c, conv2d_raised_fused.c, conv2d_panel_fused.c, conv2d_lowered_weight_fused.c */
TARE_KERNEL_DECLARE(conv2d_lowered);
TARE_KERNEL_DECLARE(conv2d_grad_data_lowered);
TARE_KERNEL_DECLARE(conv2d_grad_data_raised);
TARE_KERNEL_DECLARE(conv2d_grad_weight_panel);
TARE_KERNEL_DECLARE(conv2d_grad_weight_lowered);
void tare__prepare_conv2d_lowered(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_data_lowered(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_data_raised(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_weight_panel(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_weight_lowered(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__conv2d_grad_data_lowered_tile(const tare_call *, int piece, tare_tile *);
bool tare__conv2d_lowered_fits(const tare_args *);
bool tare__conv2d_grad_data_lowered_fits(const tare_args *);
bool tare__conv2d_grad_data_raised_fits(const tare_args *);
bool tare__conv2d_grad_weight_panel_fits(const tare_args *);
bool tare__conv2d_grad_weight_lowered_fits(const tare_args *);

/* conv2d_single_fused.c: kernels of a single tap, without padding */
TARE_KERNEL_DECLARE(conv2d_single);
TARE_KERNEL_DECLARE(conv2d_grad_data_single);
void tare__prepare_conv2d_single(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_data_single(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__conv2d_grad_data_single_tile(const tare_call *, int piece, tare_tile *);
bool tare__conv2d_single_fits(const tare_args *);
bool tare__conv2d_grad_data_single_fits(const tare_args *);

/* conv2d_turned_fused.c: where weights are worth turning */
TARE_KERNEL_DECLARE(conv2d_turned);
TARE_KERNEL_DECLARE(conv2d_grad_data_turned);
void tare__prepare_conv2d_turned(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_data_turned(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__conv2d_grad_data_turned_tile(const tare_call *, int piece, tare_tile *);
bool tare__conv2d_turned_fits(const tare_args *);
bool tare__conv2d_grad_data_turned_fits(const tare_args *);

/* conv2d_chwn_fused.c: small planes, with images for lanes */
TARE_KERNEL_DECLARE(conv2d_chwn);
TARE_KERNEL_DECLARE(conv2d_grad_data_chwn);
void tare__prepare_conv2d_chwn(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_data_chwn(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__conv2d_grad_data_chwn_tile(const tare_call *, int piece, tare_tile *);
bool tare__conv2d_chwn_fits(const tare_args *);
bool tare__conv2d_grad_data_chwn_fits(const tare_args *);

/* conv2d_winograd.c, conv2d_winograd_weight.c: 3x3 kernels by tiles of 2x2 and of 4x4 outputs. */
TARE_KERNEL_DECLARE(conv2d_winograd);
TARE_KERNEL_DECLARE(conv2d_grad_data_winograd);
TARE_KERNEL_DECLARE(conv2d_grad_weight_winograd);
void tare__prepare_conv2d_winograd2(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_winograd4(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_data_winograd2(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_data_winograd4(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_weight_winograd2(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_weight_winograd4(const tare_args *, const tare_desc_ref *out, tare_work *);
bool tare__conv2d_winograd2_fits(const tare_args *);
bool tare__conv2d_winograd4_fits(const tare_args *);
bool tare__conv2d_grad_data_winograd2_fits(const tare_args *);
bool tare__conv2d_grad_data_winograd4_fits(const tare_args *);
bool tare__conv2d_grad_weight_winograd2_fits(const tare_args *);
bool tare__conv2d_grad_weight_winograd4_fits(const tare_args *);

/* conv2d_depthwise_fused.c: groups of one channel each */
TARE_KERNEL_DECLARE(conv2d_depthwise);
TARE_KERNEL_DECLARE(conv2d_grad_data_depthwise);
TARE_KERNEL_DECLARE(conv2d_grad_weight_depthwise);
void tare__prepare_conv2d_depthwise(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_data_depthwise(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_conv2d_grad_weight_depthwise(const tare_args *, const tare_desc_ref *out, tare_work *);
bool tare__conv2d_depthwise_fits(const tare_args *);
bool tare__conv2d_grad_data_depthwise_fits(const tare_args *);
bool tare__conv2d_grad_weight_depthwise_fits(const tare_args *);

/* Adds the pieces' partial dw, which lie in the pieces' scratch, in the order of the pieces; nothing
 * where there are none, with one piece or pieces that share dw. */
int tare__conv_combine(const tare_call *, int piece, int worker);

#endif

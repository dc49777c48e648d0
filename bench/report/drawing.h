/* drawing.h - a picture as a list of shapes, written as SVG or as PDF.
 *
 * Lengths are points (1/72 inch), y downwards from the top. Colours are roles, which a page or a reader's preference
 * for dark colours gives their values; the series are told apart by the colour-blind (Okabe and Ito, Color Universal
 * Design, 2008). Texts are UTF-8; PDF has of it what WinAnsi has, in Helvetica, which every reader of PDF brings. */
#ifndef TARE_BENCH_DRAWING_H
#define TARE_BENCH_DRAWING_H

#include <stdio.h>

#include "../base/command.h"

/* X(NAME, light, dark) */
#define TARE__INKS(X)                                                                                                  \
    X(TEXT, 0x1b1f24, 0xe4e8ec)                                                                                        \
    X(SOFT, 0x59636e, 0x9aa5b1)                                                                                        \
    X(GRID, 0xd5dae0, 0x343c45)                                                                                        \
    X(PAPER, 0xffffff, 0x14181d)                                                                                       \
    X(GRAY, 0x98a2ad, 0x6c7783)                                                                                        \
    X(BLUE, 0x0072b2, 0x3f97d3)                                                                                        \
    X(ORANGE, 0xe69f00, 0xeab040)                                                                                      \
    X(GREEN, 0x009e73, 0x2cb890)                                                                                       \
    X(RED, 0xd55e00, 0xe8793a)                                                                                         \
    X(PURPLE, 0xcc79a7, 0xd795ba)                                                                                      \
    X(SKY, 0x56b4e9, 0x8fcdf2)                                                                                         \
    X(YELLOW, 0xe3d430, 0xe9de62)                                                                                      \
    X(BROWN, 0x8b5a2b, 0xb98a5e)

typedef enum {
#define TARE__INK_ENUM(NAME, light, dark) TARE__INK_##NAME,
    TARE__INKS(TARE__INK_ENUM)
#undef TARE__INK_ENUM
        TARE__INK_COUNT
} tare__ink;
extern const unsigned tare__ink_light[TARE__INK_COUNT], tare__ink_dark[TARE__INK_COUNT];
/* The n-th of a row of series, over again after the last. */
tare__ink tare__ink_series(int n);

typedef enum { TARE__START, TARE__MIDDLE, TARE__END } tare__anchor;
typedef enum { TARE__RECT, TARE__LINE, TARE__DOT, TARE__TEXT } tare__shape_kind;

typedef struct {
    tare__shape_kind kind;
    tare__ink ink;
    double x, y, w, h; /* rectangle; dot: centre, radius w; text: baseline, size h */
    double *xy;        /* line: n pairs, owned */
    int n;
    double width; /* of a line */
    bool dashed;
    tare__anchor anchor;
    char *text;  /* of a text, owned */
    char *title; /* shown on hover; owned, NULL */
} tare__shape;

typedef struct {
    double width, height;
    char *title, *about; /* for those who cannot see it: owned */
    tare__shape *shape;
    int n, capacity;
} tare__drawing;

void tare__drawing_init(tare__drawing *, double width, double height, const char *title, const char *about);
void tare__drawing_fini(tare__drawing *);

/* title: shown on hover, copied; NULL: none. Nothing without finite places is drawn. */
void tare__draw_rect(tare__drawing *, double x, double y, double w, double h, tare__ink, const char *title);
void tare__draw_dot(tare__drawing *, double x, double y, double radius, tare__ink, const char *title);
void tare__draw_line(tare__drawing *, const double *xy, int n, double width, tare__ink, bool dashed, const char *title);
/* From one point to another. */
void tare__draw_rule(tare__drawing *, double x, double y, double to_x, double to_y, double width, tare__ink,
                     bool dashed);
/* As wide as `most` at most (0: any width): what is longer ends in an ellipsis, and the whole shows on hover. */
void tare__draw_text(tare__drawing *, double x, double y, double size, tare__anchor, tare__ink, double most,
                     const char *format, ...) __attribute__((format(printf, 8, 9)));
/* How wide a text is in Helvetica. */
double tare__text_width(const char *text, double size);

/* One <svg> element without colours of its own, for a page that gives them (tare__drawing_colours); and as a
 * file, in light colours; with_dark: in dark ones where the reader prefers them. */
void tare__drawing_svg(FILE *, const tare__drawing *);
void tare__drawing_svg_file(FILE *, const tare__drawing *, bool with_dark);
/* The style sheet for drawings in a page. */
void tare__drawing_colours(FILE *, bool with_dark);
/* A file of one page, as large as the drawing. */
tare_status tare__drawing_pdf(FILE *, const tare__drawing *);

/* Text with what HTML and XML would take for themselves replaced, control characters too. */
void tare__text_put(FILE *, const char *text);

#endif

/* contrast_text.c - sentences of contrasts (see contrast_text.h). */
#include "contrast_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/command.h"

/* What follows the interval. */
static char *verdict_text(const json_t *c)
{
    const char *verdict = tare__text_at(c, "verdict"), *why = tare__text_at(c, "reasons.verdict");
    double p = tare__number_at(c, "p_holm"), mde = tare__number_at(c, "mde");
    if (!*verdict)
        return tare__print("no verdict: %s", *why ? why : "none was given");
    if (strcmp(verdict, "no difference") != 0)
        return tare__print(p < 0.001 ? "%s, p < 0.001 after Holm" : "%s, p = %.3f after Holm", verdict, p);
    if (!isfinite(mde))
        return tare__copy_text("no difference was found");
    return tare__print("no difference was found; one of %.2g %% would have been", 100 * mde);
}

char *tare__contrast_text(const json_t *c)
{
    double threads = tare__number_at(c, "threads");
    char *verdict = verdict_text(c);
    char *text =
        tare__print("On %s (batch %.0f, %.0f thread%s) a step of %s takes %.3f times as long as one of %s (95 %% "
                    "interval %.3f to %.3f; %s).",
                    tare__text_at(c, "net"), tare__number_at(c, "batch"), threads, threads == 1 ? "" : "s",
                    tare__text_at(c, "arm"), tare__number_at(c, "ratio"), tare__text_at(c, "base"),
                    tare__number_at(c, "ci95.0"), tare__number_at(c, "ci95.1"), verdict);
    free(verdict);
    return text;
}

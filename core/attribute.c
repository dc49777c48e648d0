/* attribute.c - typed attributes and options from and to their string form, "axis=1,keep_dims=true,hidden=300-100". */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op.h"

enum { VALUE_TEXT = 128 };

static tare_status out_of_bounds(const char *owner, const tare_attr *a, const char *text)
{
    return tare_error(TARE_BAD_ARGUMENT, "%s: %s is %s (need %g to %g)", owner, a->name, text, a->low, a->high);
}

static tare_status parse_int(const char *owner, const tare_attr *a, const char *text, const char **end, int64_t *out)
{
    char *stop;
    errno = 0;
    long long x = strtoll(text, &stop, 10);
    if (stop == text || errno)
        return tare_error(TARE_BAD_ARGUMENT, "%s: %s is '%s' (need a whole number)", owner, a->name, text);
    if ((double)x < a->low || (double)x > a->high)
        return out_of_bounds(owner, a, text);
    *out = x;
    *end = stop;
    return TARE_OK;
}

static tare_status parse_ints(const char *owner, const tare_attr *a, const char *text, const char **end, tare_ints *out)
{
    tare_ints ints = {0};
    *end = text;
    while (**end) {
        if (ints.n == TARE_INTS)
            return tare_error(TARE_BAD_ARGUMENT, "%s: %s has more than %d numbers", owner, a->name, TARE_INTS);
        tare_status status = parse_int(owner, a, *end, end, &ints.at[ints.n++]);
        if (status != TARE_OK)
            return status;
        if (**end && (**end != '-' || !(*end)[1]))
            return tare_error(TARE_BAD_ARGUMENT, "%s: %s is '%s' (need numbers joined by -)", owner, a->name, text);
        *end += **end == '-';
    }
    *out = ints;
    return TARE_OK;
}

/* The word after *at in "one|two|", and *at behind it; 0: there is none. */
static int next_word(const char **at, const char **word)
{
    *word = *at;
    int length = (int)strcspn(*at, "|");
    *at += length + (*(*at + length) == '|');
    return length;
}

static tare_status parse_choice(const char *owner, const tare_attr *a, const char *text, int64_t *out)
{
    char list[VALUE_TEXT * 2] = "";
    const char *at = a->normal, *word;
    int length, used = 0;
    if (text == a->normal)
        return *out = 0, TARE_OK;
    for (int64_t i = 0; (length = next_word(&at, &word)); ++i) {
        if ((int)strlen(text) == length && strncmp(text, word, (size_t)length) == 0)
            return *out = i, TARE_OK;
        if (used < (int)sizeof list)
            used += snprintf(list + used, sizeof list - (size_t)used, "%s%.*s", i ? ", " : "", length, word);
    }
    return tare_error(TARE_BAD_ARGUMENT, "%s: %s is '%s' (need one of %s)", owner, a->name, text, list);
}

static tare_status parse_dtype(const char *owner, const tare_attr *a, const char *text, tare_dtype *out)
{
    char list[128] = "";
    for (int d = (int)a->low, at = 0; d <= (int)a->high; ++d) {
        if (strcmp(text, tare_dtype_name((tare_dtype)d)) == 0) {
            *out = (tare_dtype)d;
            return TARE_OK;
        }
        at += snprintf(list + at, sizeof list - (size_t)at, "%s%s", at ? ", " : "", tare_dtype_name((tare_dtype)d));
    }
    return tare_error(TARE_BAD_ARGUMENT, "%s: %s is '%s' (need one of %s)", owner, a->name, text, list);
}

static tare_status parse_one(const char *owner, const tare_attr *a, const char *text, void *out)
{
    void *field = (char *)out + a->offset;
    const char *end = text + strlen(text);
    char *stop;
    double x;
    tare_status status = TARE_OK;
    switch (a->type) {
    case TARE_ATTR_INT:
        status = parse_int(owner, a, text, &end, field);
        break;
    case TARE_ATTR_INTS:
        status = parse_ints(owner, a, text, &end, field);
        break;
    case TARE_ATTR_CHOICE:
        return parse_choice(owner, a, text, field);
    case TARE_ATTR_DTYPE:
        status = parse_dtype(owner, a, text, field);
        break;
    case TARE_ATTR_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return tare_error(TARE_BAD_ARGUMENT, "%s: %s is '%s' (need true or false)", owner, a->name, text);
        *(bool *)field = text[0] == 't';
        break;
    case TARE_ATTR_FLOAT:
        x = strtod(text, &stop);
        if (stop == text || isnan(x))
            return tare_error(TARE_BAD_ARGUMENT, "%s: %s is '%s' (need a number)", owner, a->name, text);
        if (x < a->low || x > a->high)
            return out_of_bounds(owner, a, text);
        *(double *)field = x;
        end = stop;
        break;
    }
    if (status == TARE_OK && *end)
        return tare_error(TARE_BAD_ARGUMENT, "%s: %s is '%s' (something follows the value)", owner, a->name, text);
    return status;
}

static tare_status unknown(const char *owner, const tare_attr *attrs, int n, const char *name)
{
    char list[256] = "none";
    for (int i = 0, at = 0; i < n && at < (int)sizeof list; ++i)
        at += snprintf(list + at, sizeof list - (size_t)at, "%s%s", i ? ", " : "", attrs[i].name);
    return tare_error(TARE_BAD_ARGUMENT, "%s: no option '%s' (there are: %s)", owner, name, list);
}

tare_status tare_attr_parse(const char *owner, const tare_attr *attrs, int n, const char *text, void *out)
{
    for (int i = 0; i < n; ++i) {
        tare_status status = parse_one(owner, &attrs[i], attrs[i].normal, out);
        if (status != TARE_OK)
            return status;
    }
    while (text && *text) {
        size_t length = strcspn(text, ",");
        const char *equals = memchr(text, '=', length);
        char name[VALUE_TEXT], value[VALUE_TEXT];
        if (!equals || length >= VALUE_TEXT)
            return tare_error(TARE_BAD_ARGUMENT, "%s: '%.*s' is not name=value", owner,
                              (int)(length < 60 ? length : 60), text);
        (void)snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
        (void)snprintf(value, sizeof value, "%.*s", (int)(text + length - equals - 1), equals + 1);
        int i = 0;
        while (i < n && strcmp(attrs[i].name, name) != 0)
            ++i;
        tare_status status = i < n ? parse_one(owner, &attrs[i], value, out) : unknown(owner, attrs, n, name);
        if (status != TARE_OK)
            return status;
        text += length;
        if (*text == ',' && !*++text)
            return tare_error(TARE_BAD_ARGUMENT, "%s: nothing follows the last comma", owner);
    }
    return TARE_OK;
}

static int print_one(const tare_attr *a, const void *from, char *text, size_t bytes)
{
    const void *field = (const char *)from + a->offset;
    const tare_ints *ints = field;
    const char *words = a->normal, *word;
    int at = 0, length;
    switch (a->type) {
    case TARE_ATTR_INT:
        return snprintf(text, bytes, "%lld", (long long)*(const int64_t *)field);
    case TARE_ATTR_BOOL:
        return snprintf(text, bytes, "%s", *(const bool *)field ? "true" : "false");
    case TARE_ATTR_DTYPE:
        return snprintf(text, bytes, "%s", tare_dtype_name(*(const tare_dtype *)field));
    case TARE_ATTR_FLOAT:
        return snprintf(text, bytes, "%.17g", *(const double *)field);
    case TARE_ATTR_CHOICE:
        for (int64_t i = *(const int64_t *)field; (length = next_word(&words, &word)) && i > 0; --i)
            ;
        return snprintf(text, bytes, "%.*s", length, word);
    case TARE_ATTR_INTS:
        for (int i = 0; i < ints->n && (size_t)at < bytes; ++i)
            at += snprintf(text + at, bytes - (size_t)at, i ? "-%lld" : "%lld", (long long)ints->at[i]);
    }
    return at;
}

const char *tare_attr_print(const tare_attr *attrs, int n, const void *from, char *text, size_t bytes)
{
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; i < n && at + 1 < bytes; ++i) {
        at += (size_t)snprintf(text + at, bytes - at, "%s%s=", i ? "," : "", attrs[i].name);
        if (at < bytes) {
            text[at] = 0;
            at += (size_t)print_one(&attrs[i], from, text + at, bytes - at);
        }
    }
    return text;
}

static int words_of_one(const tare_attr *a, const void *from, int64_t *words)
{
    const void *field = (const char *)from + a->offset;
    const tare_ints *ints = field;
    switch (a->type) {
    case TARE_ATTR_INT:
    case TARE_ATTR_CHOICE:
        words[0] = *(const int64_t *)field;
        break;
    case TARE_ATTR_BOOL:
        words[0] = *(const bool *)field;
        break;
    case TARE_ATTR_DTYPE:
        words[0] = (int64_t) * (const tare_dtype *)field;
        break;
    case TARE_ATTR_FLOAT:
        words[0] = tare_bits(*(const double *)field);
        break;
    case TARE_ATTR_INTS:
        words[0] = ints->n;
        memcpy(words + 1, ints->at, (size_t)ints->n * sizeof *words);
        return ints->n + 1;
    }
    return 1;
}

int tare_attr_words(const tare_attr *attrs, int n, const void *from, int64_t *words)
{
    int count = 0;
    for (int i = 0; i < n; ++i)
        count += words_of_one(&attrs[i], from, words + count);
    return count;
}

/* program.c - the array of nodes and the arena behind it. */
#include "program.h"

#include <string.h>

#include "record_private.h"

/* ---- arena
 * ---------------------------------------------------------------------------------------------------------*/
struct tare_arena_block {
    tare_arena_block *next;
    size_t bytes, used; /* of `content` */
    _Alignas(16) char content[];
};

enum { BLOCK_BYTES = 16384 };

static void *block_take(tare_arena_block *b, size_t bytes)
{
    if (!b || b->bytes - b->used < bytes)
        return NULL;
    void *at = b->content + b->used;
    b->used += bytes;
    return at;
}

/* The next kept block that is large enough, or a new one. */
static void *arena_grow(tare_arena *a, size_t bytes)
{
    while (a->current && a->current->next) {
        a->current = a->current->next;
        void *at = block_take(a->current, bytes);
        if (at)
            return at;
    }
    size_t content = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    tare_arena_block *b = tare_memory_take(a->memory, TARE_MEMORY_RECORD, sizeof *b + content);
    if (!b)
        return NULL;
    *b = (tare_arena_block){.bytes = content};
    if (a->current)
        a->current->next = b;
    else
        a->first = b;
    a->current = b;
    return block_take(b, bytes);
}

void *tare_arena_take(tare_arena *a, size_t bytes)
{
    bytes = (bytes + 7) & ~(size_t)7;
    void *at = block_take(a->current, bytes);
    return at ? at : arena_grow(a, bytes);
}

void tare_arena_reset(tare_arena *a)
{
    for (tare_arena_block *b = a->first; b; b = b->next)
        b->used = 0;
    a->current = a->first;
}

void tare_arena_fini(tare_arena *a)
{
    while (a->first) {
        tare_arena_block *next = a->first->next;
        tare_memory_give(a->memory, TARE_MEMORY_RECORD, a->first, sizeof *a->first + a->first->bytes);
        a->first = next;
    }
    a->current = NULL;
}

/* ---- program
 * -------------------------------------------------------------------------------------------------------*/
void tare_program_init(tare_program *p, tare_runtime *rt)
{
    *p = (tare_program){.runtime = rt, .arena = {.memory = &rt->memory}};
}

void tare_node_release(tare_node *n)
{
    if (!n->op)
        return;
    int total = n->n_in + n->n_out + n->n_aux;
    for (int i = 0; i < total; ++i) {
        tare_value *v = n->operand[i];
        if (!v)
            continue;
        if (i >= n->n_in) {
            tare_record_clear(v);
            v->node = TARE_SPENT;
        }
        if (n->version && tare_node_needs(n, i))
            tare_record_unhold(v);
        tare_record_unref(v);
    }
    n->op = NULL;
}

void tare_program_clear(tare_program *p)
{
    for (int32_t i = p->n - 1; i >= 0; --i)
        tare_node_release(&p->node[i]);
    p->n = 0;
    tare_arena_reset(&p->arena);
}

void tare_program_trim(tare_program *p)
{
    while (p->n > 0 && !p->node[p->n - 1].op)
        --p->n;
    if (p->n == 0)
        tare_arena_reset(&p->arena);
}

void tare_program_fini(tare_program *p)
{
    tare_program_clear(p);
    for (int32_t i = 0; i < p->n_values; ++i) {
        tare_record_clear(p->value[i]);
        tare_record_drop(p->value[i]);
    }
    tare_memory *memory = &p->runtime->memory;
    tare_memory_give(memory, TARE_MEMORY_RECORD, p->node, (size_t)p->capacity * sizeof *p->node);
    tare_memory_give(memory, TARE_MEMORY_RECORD, p->value, (size_t)p->capacity_values * sizeof *p->value);
    tare_arena_fini(&p->arena);
}

static bool grow_nodes(tare_program *p)
{
    int32_t capacity = p->capacity ? p->capacity * 2 : 64;
    void *grown = tare_memory_resize(&p->runtime->memory, TARE_MEMORY_RECORD, p->node,
                                     (size_t)p->capacity * sizeof *p->node, (size_t)capacity * sizeof *p->node);
    if (!grown)
        return false;
    p->node = grown;
    p->capacity = capacity;
    return true;
}

tare_node *tare_program_reserve(tare_program *p, int n_operands, size_t attr_bytes, const void *attr, bool saved)
{
    if (__builtin_expect(p->n == p->capacity, 0) && !grow_nodes(p))
        return NULL;
    size_t operand_bytes = (size_t)n_operands * sizeof(tare_value *);
    size_t version_bytes = saved ? ((size_t)n_operands * sizeof(uint32_t) + 7) & ~(size_t)7 : 0;
    char *at = tare_arena_take(&p->arena, operand_bytes + version_bytes + attr_bytes);
    if (!at)
        return NULL;
    tare_node *n = &p->node[p->n];
    n->operand = (tare_value **)(void *)at;
    n->version = saved ? (uint32_t *)(void *)(at + operand_bytes) : NULL;
    n->attr = NULL;
    n->work = NULL;
    if (attr_bytes)
        n->attr = memcpy(at + operand_bytes + version_bytes, attr, attr_bytes);
    return n;
}

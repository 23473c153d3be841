/* Study files: YAML through libyaml's document API, whose nodes know their line and column. */
#include "base/option.h"

#include <stdio.h>
#include <yaml.h>

typedef struct reader {
    const jl_option *table;
    const char *path;
    yaml_document_t *document;
    void *settings;
    jl_option_mask *given;
    jl_arena *arena;
    jl_error *err;
} reader;

/* Puts FILE:LINE:COLUMN before the message that is in r->err. */
static int at(const reader *r, const yaml_node_t *node)
{
    return jl_prefix(r->err, "%s:%zu:%zu", r->path, node->start_mark.line + 1,
                     node->start_mark.column + 1);
}

static const char *scalar(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

static int unknown_key(const reader *r, const yaml_node_t *key)
{
    const char *names[JL_MAX_OPTIONS];
    size_t n = 0;
    for (const jl_option *o = r->table; o->name && n < JL_MAX_OPTIONS; o++)
        if (!o->command_line) names[n++] = o->name;
    const char *near = jl_nearest(scalar(key), names, n);
    jl_fail(r->err, JL_ERR_USAGE, "there is no key '%s'%s%s%s", scalar(key),
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return at(r, key);
}

static int set_scalar(const reader *r, const jl_option *row, const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE) {
        jl_fail(r->err, JL_ERR_USAGE, "%s: a plain value is expected here", row->name);
        return at(r, node);
    }
    if (strlen(scalar(node)) != node->data.scalar.length) {
        jl_fail(r->err, JL_ERR_USAGE, "%s: the value holds a NUL character", row->name);
        return at(r, node);
    }
    if (jl_option_set(row, scalar(node), r->settings, r->arena, r->err)) {
        jl_prefix(r->err, "%s", row->name);
        return at(r, node);
    }
    return 0;
}

static int set_pair(const reader *r, const jl_option *row, const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = yaml_document_get_node(r->document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(r->document, pair->value);
    if (key->type != YAML_SCALAR_NODE || value->type != YAML_SCALAR_NODE) {
        jl_fail(r->err, JL_ERR_USAGE, "%s: only 'name: value' is expected here", row->name);
        return at(r, value);
    }
    char *text = jl_arena_printf(r->arena, "%s=%s", scalar(key), scalar(value));
    if (!text) return jl_fail(r->err, JL_ERR_MEMORY, "no memory for options");
    if (jl_option_set(row, text, r->settings, r->arena, r->err)) {
        jl_prefix(r->err, "%s", row->name);
        return at(r, value);
    }
    return 0;
}

static int set_value(const reader *r, const jl_option *row, const yaml_node_t *node)
{
    bool list = jl_option_empty(row, r->settings);
    if (node->type == YAML_SCALAR_NODE || !list) return set_scalar(r, row, node);
    int rc = 0;
    if (node->type == YAML_MAPPING_NODE) {
        for (yaml_node_pair_t *p = node->data.mapping.pairs.start;
             !rc && p < node->data.mapping.pairs.top; p++)
            rc = set_pair(r, row, p);
        return rc;
    }
    for (yaml_node_item_t *i = node->data.sequence.items.start;
         !rc && i < node->data.sequence.items.top; i++)
        rc = set_scalar(r, row, yaml_document_get_node(r->document, *i));
    return rc;
}

static int read_document(const reader *r)
{
    const yaml_node_t *root = yaml_document_get_root_node(r->document);
    if (!root || root->type != YAML_MAPPING_NODE)
        return jl_fail(r->err, JL_ERR_USAGE, "%s: a study file is a mapping of 'key: value' lines",
                       r->path);
    for (yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *key = yaml_document_get_node(r->document, p->key);
        const jl_option *row =
            key->type == YAML_SCALAR_NODE ? jl_option_find(r->table, scalar(key)) : NULL;
        if (key->type == YAML_SCALAR_NODE && (!row || row->command_line))
            return unknown_key(r, key);
        jl_option_mask bit = row ? (jl_option_mask)1 << (row - r->table) : 0;
        if (!row || (*r->given & bit)) {
            jl_fail(r->err, JL_ERR_USAGE, row ? "the key is given twice" : "a key must be a word");
            return at(r, key);
        }
        *r->given |= bit;
        int rc = set_value(r, row, yaml_document_get_node(r->document, p->value));
        if (rc) return rc;
    }
    return 0;
}

int jl_option_read_yaml(const jl_option *table, const char *path, void *settings,
                        jl_option_mask *given, jl_arena *arena, jl_error *err)
{
    FILE *file = fopen(path, "rb");
    if (!file) return jl_fail_errno(err, JL_ERR_IO, "cannot open the study file %s", path);
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser)) {
        fclose(file);
        return jl_fail(err, JL_ERR_MEMORY, "no memory for %s", path);
    }
    yaml_parser_set_input_file(&parser, file);
    int rc;
    if (yaml_parser_load(&parser, &document)) {
        rc = read_document(&(reader){table, path, &document, settings, given, arena, err});
        yaml_document_delete(&document);
    } else {
        rc = jl_fail(err, JL_ERR_FORMAT, "%s:%zu:%zu: not YAML: %s", path,
                     parser.problem_mark.line + 1, parser.problem_mark.column + 1,
                     parser.problem ? parser.problem : "cannot be read");
    }
    yaml_parser_delete(&parser);
    fclose(file);
    return rc;
}

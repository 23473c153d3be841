#include "runtime/registry.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "runtime/pytorch.h"

static const jl_runtime *const built_in[] = {&jl_runtime_ort, &jl_runtime_openvino,
                                             &jl_runtime_pytorch, &jl_runtime_libtorch,
                                             &jl_runtime_fake};
enum { BUILT_IN = sizeof built_in / sizeof *built_in, MAX_PLUGINS = 16 };

static const jl_runtime *plugins[MAX_PLUGINS];
static size_t plugin_count;

/* Read from the configuration by the layers above, whatever the runtime. */
static const jl_runtime_option common[] = {
    {"convert", "where the model file of this precision comes from"},
    {"version", "of the runtime's library, another one is missing; added where +lib names a file"},
    {NULL, NULL},
};

size_t jl_runtime_count(void)
{
    return BUILT_IN + plugin_count;
}

const jl_runtime *jl_runtime_at(size_t i)
{
    if (i < BUILT_IN) return built_in[i];
    return i < jl_runtime_count() ? plugins[i - BUILT_IN] : NULL;
}

const jl_runtime *jl_runtime_find(const char *name)
{
    for (size_t i = 0; i < jl_runtime_count(); i++)
        if (!strcmp(jl_runtime_at(i)->name, name)) return jl_runtime_at(i);
    return NULL;
}

int jl_runtime_register(const jl_runtime *r, jl_error *err)
{
    if (jl_runtime_find(r->name))
        return jl_fail(err, JL_ERR_USAGE, "there is already a runtime named '%s'", r->name);
    if (plugin_count == MAX_PLUGINS)
        return jl_fail(err, JL_ERR_LIMIT, "more than %d runtime plugins", MAX_PLUGINS);
    plugins[plugin_count++] = r;
    return 0;
}

/* Fails with `what`, the names there are, and the nearest of them. */
static int no_such(jl_error *err, const char *what, const char *word, const char *const *names,
                   size_t count)
{
    JL_CLEANUP(jl_buf_free) jl_buf list = {0};
    for (size_t i = 0; i < count; i++)
        jl_buf_printf(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
    const char *near = jl_nearest(word, names, count);
    return jl_fail(err, JL_ERR_USAGE, "%s '%s'%s%s%s (there are: %s)", what, word,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "",
                   list.n ? list.p : "none");
}

static bool matches(const jl_runtime_option *o, const char *key)
{
    size_t n = strlen(o->name);
    return o->name[n - 1] == '.' ? !strncmp(key, o->name, n) : !strcmp(key, o->name);
}

static bool listed(const jl_runtime_option *options, const char *key)
{
    for (const jl_runtime_option *o = options; o && o->name; o++)
        if (matches(o, key)) return true;
    return false;
}

static int check_options(const jl_runtime *r, const jl_configuration *c, jl_error *err)
{
    for (size_t i = 0; i < c->option_count; i++) {
        const char *key = c->options[i].key;
        if (listed(common, key) || listed(r->options, key)) continue;
        const char *names[64];
        size_t count = 0;
        for (const jl_runtime_option *o = common; o->name; o++)
            names[count++] = o->name;
        for (const jl_runtime_option *o = r->options; o && o->name && count < 64; o++)
            names[count++] = o->name;
        char what[80];
        snprintf(what, sizeof what, "%s has no option", r->name);
        return no_such(err, what, key, names, count);
    }
    return 0;
}

int jl_runtime_of(const jl_configuration *c, const jl_runtime **runtime, jl_error *err)
{
    const jl_runtime *r = jl_runtime_find(c->runtime);
    const char *names[BUILT_IN + MAX_PLUGINS];
    if (!r) {
        for (size_t i = 0; i < jl_runtime_count(); i++)
            names[i] = jl_runtime_at(i)->name;
        return no_such(err, "there is no runtime", c->runtime, names, jl_runtime_count());
    }
    size_t count = 0;
    bool known = !r->providers;
    for (; r->providers && r->providers[count]; count++)
        if (!strcmp(r->providers[count], c->provider)) known = true;
    if (!known) {
        char what[80];
        snprintf(what, sizeof what, "%s has no provider", r->name);
        return no_such(err, what, c->provider, r->providers, count);
    }
    *runtime = r;
    return check_options(r, c, err);
}

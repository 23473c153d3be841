#include "jouleline/configuration.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const char form[] = "RUNTIME-PROVIDER/PRECISION[@DEVICE][+key=value...], for example "
                           "ort-cpu/fp32+threads=4";

static const char *const precisions[JL_PRECISION_COUNT] = {"fp32", "tf32", "fp16",
                                                           "bf16", "int8", "native"};

const char *jl_precision_name(jl_precision p)
{
    return (unsigned)p < JL_PRECISION_COUNT ? precisions[p] : "unknown";
}

int jl_precision_parse(const char *name, jl_precision *p, jl_error *err)
{
    for (int i = 0; i < JL_PRECISION_COUNT; i++)
        if (!strcmp(name, precisions[i])) {
            *p = (jl_precision)i;
            return 0;
        }
    const char *near = jl_nearest(name, precisions, JL_PRECISION_COUNT);
    return jl_fail(err, JL_ERR_USAGE,
                   "there is no precision '%s'%s%s%s (there are: fp32, tf32, fp16, bf16, int8, "
                   "native)",
                   name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static bool is_name_char(char ch)
{
    return isalnum((unsigned char)ch) || ch == '_' || ch == '.';
}

/* Length of the key when s is "+key=...", else 0: other plus signs belong to a value (a path
 * may hold them). */
static size_t option_key_length(const char *s)
{
    if (s[0] != '+' || !isalpha((unsigned char)s[1])) return 0;
    size_t n = 1;
    while (is_name_char(s[1 + n]))
        n++;
    return s[1 + n] == '=' ? n : 0;
}

static size_t next_option(const char *s)
{
    size_t i = 0;
    while (s[i] && !option_key_length(s + i))
        i++;
    return i;
}

/* Copies n bytes of a name in lower-case letters, digits, '_' and '.'. */
static int take_name(char *to, size_t size, const char *from, size_t n, const char *what,
                     jl_error *err)
{
    if (n == 0) return jl_fail(err, JL_ERR_USAGE, "the %s is empty; write %s", what, form);
    if (n >= size)
        return jl_fail(err, JL_ERR_USAGE, "the %s '%.*s...' is longer than %zu characters", what,
                       (int)size, from, size - 1);
    for (size_t i = 0; i < n; i++)
        if (!is_name_char(from[i]))
            return jl_fail(err, JL_ERR_USAGE, "the %s '%.*s' holds '%c'; write %s", what, (int)n,
                           from, from[i], form);
    memcpy(to, from, n);
    to[n] = '\0';
    return 0;
}

static int add_option(jl_configuration *c, const char *key, size_t key_n, const char *value,
                      size_t value_n, jl_error *err)
{
    jl_setting o = {0};
    int rc = take_name(o.key, sizeof o.key, key, key_n, "option name", err);
    if (rc) return rc;
    if (value_n == 0) return jl_fail(err, JL_ERR_USAGE, "the option +%s has no value", o.key);
    if (value_n >= sizeof o.value)
        return jl_fail(err, JL_ERR_USAGE, "the value of +%s is longer than %zu characters", o.key,
                       sizeof o.value - 1);
    memcpy(o.value, value, value_n);
    if (c->option_count == JL_MAX_SETTINGS)
        return jl_fail(err, JL_ERR_USAGE, "more than %d options", JL_MAX_SETTINGS);
    size_t at = 0;
    while (at < c->option_count && strcmp(c->options[at].key, o.key) < 0)
        at++;
    if (at < c->option_count && !strcmp(c->options[at].key, o.key))
        return jl_fail(err, JL_ERR_USAGE, "the option +%s is given twice", o.key);
    memmove(&c->options[at + 1], &c->options[at], (c->option_count - at) * sizeof o);
    c->options[at] = o;
    c->option_count++;
    return 0;
}

static int parse_device(jl_configuration *c, const char *s, size_t n, jl_error *err)
{
    long value = 0;
    bool good = n > 0 && n <= 4;
    for (size_t i = 0; good && i < n; i++) {
        good = isdigit((unsigned char)s[i]);
        value = value * 10 + (s[i] - '0');
    }
    if (!good)
        return jl_fail(err, JL_ERR_USAGE,
                       "the device '%.*s' is not a number; count devices from 0, as in @1", (int)n,
                       s);
    c->device = (int)value;
    return 0;
}

/* RUNTIME-PROVIDER/PRECISION[@DEVICE], n bytes. */
static int parse_head(jl_configuration *c, const char *s, size_t n, jl_error *err)
{
    const char *slash = memchr(s, '/', n), *dash = memchr(s, '-', n);
    if (!dash || (slash && dash > slash)) {
        size_t word = slash ? (size_t)(slash - s) : n;
        return jl_fail(err, JL_ERR_USAGE, "'%.*s' names no provider; write %s", (int)word, s, form);
    }
    if (!slash)
        return jl_fail(err, JL_ERR_USAGE, "'%.*s' names no precision; write %.*s/fp32", (int)n, s,
                       (int)n, s);
    const char *end = s + n, *at = memchr(slash, '@', (size_t)(end - slash));
    char precision[24];
    int rc = take_name(c->runtime, sizeof c->runtime, s, (size_t)(dash - s), "runtime", err);
    if (!rc)
        rc = take_name(c->provider, sizeof c->provider, dash + 1, (size_t)(slash - dash - 1),
                       "provider", err);
    if (!rc)
        rc = take_name(precision, sizeof precision, slash + 1,
                       (size_t)((at ? at : end) - slash - 1), "precision", err);
    if (!rc) rc = jl_precision_parse(precision, &c->precision, err);
    if (!rc && at) rc = parse_device(c, at + 1, (size_t)(end - at - 1), err);
    return rc;
}

int jl_configuration_parse(const char *text, jl_configuration *c, jl_error *err)
{
    *c = (jl_configuration){0};
    size_t head = next_option(text);
    int rc = parse_head(c, text, head, err);
    for (const char *s = text + head; !rc && *s;) {
        size_t key = option_key_length(s);
        const char *value = s + 1 + key + 1;
        size_t n = next_option(value);
        rc = add_option(c, s + 1, key, value, n, err);
        s = value + n;
    }
    if (rc) jl_prefix(err, "configuration '%.300s'", text);
    return rc;
}

int jl_configuration_format(const jl_configuration *c, char *text, size_t size)
{
    int n =
        snprintf(text, size, "%s-%s/%s", c->runtime, c->provider, jl_precision_name(c->precision));
    size_t used = n < 0 ? size : (size_t)n;
    if (c->device && used < size)
        used += (size_t)snprintf(text + used, size - used, "@%d", c->device);
    for (size_t i = 0; i < c->option_count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "+%s=%s", c->options[i].key,
                                 c->options[i].value);
    return used < size ? 0 : JL_ERR_LIMIT;
}

const char *jl_configuration_option(const jl_configuration *c, const char *key)
{
    for (size_t i = 0; i < c->option_count; i++)
        if (!strcmp(c->options[i].key, key)) return c->options[i].value;
    return NULL;
}

int jl_configuration_add(jl_configuration *c, const char *key, const char *value, jl_error *err)
{
    return add_option(c, key, strlen(key), value, strlen(value), err);
}

static bool answers(const jl_setting *o, const char *asked)
{
    if (!asked) return !strcmp(o->key, "version");
    size_t n = strlen(asked);
    return !strcmp(o->value, asked) ||
           (!strcmp(o->key, "convert") && !strncmp(o->value, asked, n) && o->value[n] == ':');
}

bool jl_configuration_answers(const jl_configuration *asked, const jl_configuration *stored)
{
    bool same = !strcmp(asked->runtime, stored->runtime) &&
                !strcmp(asked->provider, stored->provider) && asked->precision == stored->precision;
    for (size_t i = 0; same && i < asked->option_count; i++)
        same = jl_configuration_option(stored, asked->options[i].key) != NULL;
    for (size_t i = 0; same && i < stored->option_count; i++)
        same = answers(&stored->options[i], jl_configuration_option(asked, stored->options[i].key));
    return same;
}

int jl_configuration_int(const jl_configuration *c, const char *key, long low, long high,
                         long otherwise, long *value, jl_error *err)
{
    const char *text = jl_configuration_option(c, key);
    *value = otherwise;
    if (!text) return 0;
    char *end;
    errno = 0;
    long parsed = strtol(text, &end, 10);
    if (errno || *end || end == text || parsed < low || parsed > high)
        return jl_fail(err, JL_ERR_USAGE, "+%s=%s is not a whole number from %ld to %ld", key, text,
                       low, high);
    *value = parsed;
    return 0;
}

int jl_configuration_double(const jl_configuration *c, const char *key, double low, double high,
                            double otherwise, double *value, jl_error *err)
{
    const char *text = jl_configuration_option(c, key);
    *value = otherwise;
    if (!text) return 0;
    char *end;
    double parsed = strtod(text, &end);
    if (*end || end == text || !(parsed >= low && parsed <= high))
        return jl_fail(err, JL_ERR_USAGE, "+%s=%s is not a number from %g to %g", key, text, low,
                       high);
    *value = parsed;
    return 0;
}

int jl_configuration_bool(const jl_configuration *c, const char *key, bool otherwise, bool *value,
                          jl_error *err)
{
    long n;
    if (jl_configuration_int(c, key, 0, 1, otherwise, &n, NULL))
        return jl_fail(err, JL_ERR_USAGE, "+%s=%s is neither 0 nor 1", key,
                       jl_configuration_option(c, key));
    *value = n == 1;
    return 0;
}

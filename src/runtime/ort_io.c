/* Inputs in their place, bindings, and outputs read back. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/ort.h"

static char *take_string(ort *o, char *theirs)
{
    const ort_api *a = o->library.api;
    char *ours = strdup(theirs);
    OrtStatus *status = a->AllocatorFree(o->allocator, theirs);
    if (status) a->ReleaseStatus(status);
    return ours;
}

/* Kind of the value and, for a tensor, its element type. */
static int read_type(ort *o, const OrtTypeInfo *info, int *kind, int *type, jl_error *err)
{
    const ort_api *a = o->library.api;
    const OrtTensorTypeAndShapeInfo *tensor;
    *type = JL_UNDEFINED;
    int rc = ort_check(a, a->GetOnnxTypeFromTypeInfo(info, kind), err, "tell a type");
    if (rc || *kind != ORT_TYPE_TENSOR) return rc;
    rc = ort_check(a, a->CastTypeInfoToTensorInfo(info, &tensor), err, "tell a tensor's type");
    return rc ? rc : ort_check(a, a->GetTensorElementType(tensor, type), err, "tell element types");
}

static const jl_tensor *find_tensor(const jl_load_request *r, const char *name)
{
    for (size_t i = 0; i < r->input_count; i++)
        if (r->inputs[i].name && !strcmp(r->inputs[i].name, name)) return &r->inputs[i];
    return NULL;
}

static int make_strings(ort *o, ort_input *in, const jl_tensor *t, jl_error *err)
{
    const ort_api *a = o->library.api;
    int rc = ort_check(
        a, a->CreateTensorAsOrtValue(o->allocator, t->dims, (size_t)t->rank, JL_STRING, &in->value),
        err, "make an input of strings");
    if (rc) return rc;
    return ort_check(a, a->FillStringTensor(in->value, t->data, (size_t)jl_tensor_elements(t)), err,
                     "fill an input of strings");
}

/* Wraps (or first copies to the GPU) a tensor that already has the model's element type. */
static int place(ort *o, ort_input *in, const jl_tensor *t, jl_error *err)
{
    const ort_api *a = o->library.api;
    void *data = t->data;
    if (o->io_on_device) {
        int rc = jl_cuda_alloc(&o->cuda, &in->device, t->size_bytes, err);
        if (!rc) rc = jl_cuda_to_device(&o->cuda, in->device, t->data, t->size_bytes, err);
        if (rc) return rc;
        data = (void *)(uintptr_t)in->device; // NOLINT: an address of the device
    }
    return ort_check(a,
                     a->CreateTensorWithDataAsOrtValue(o->bound, data, t->size_bytes, t->dims,
                                                       (size_t)t->rank, (int)t->dtype, &in->value),
                     err, "wrap an input");
}

static int make_input(ort *o, ort_input *in, const jl_load_request *r, int type, jl_error *err)
{
    const jl_tensor *given = find_tensor(r, in->name);
    jl_tensor made;
    in->given = given;
    in->dtype = (jl_dtype)type;
    if (!given)
        return jl_fail(err, JL_ERR_USAGE, "the model takes an input '%s' that was not given",
                       in->name);
    if (given->dtype == JL_STRING && type == JL_STRING) return make_strings(o, in, given, err);
    bool aligned = (uintptr_t)given->data % JL_TENSOR_ALIGNMENT == 0;
    if ((int)given->dtype == type && (aligned || o->io_on_device)) return place(o, in, given, err);
    bool floats = jl_dtype_is_float(given->dtype) && jl_dtype_is_float((jl_dtype)type);
    if ((int)given->dtype != type && !floats)
        return jl_fail(err, JL_ERR_USAGE, "the input '%s' is %s and the model takes %s", in->name,
                       jl_dtype_name(given->dtype), jl_dtype_name((jl_dtype)type));
    int rc = jl_tensor_cast(&made, given, (jl_dtype)type, err);
    if (rc) return rc;
    in->owned = made.data;
    rc = place(o, in, &made, err);
    if (o->io_on_device) {
        free(in->owned);
        in->owned = NULL;
    }
    return rc;
}

int ort_make_inputs(ort *o, const jl_load_request *r, jl_error *err)
{
    const ort_api *a = o->library.api;
    int rc =
        ort_check(a, a->SessionGetInputCount(o->session, &o->input_count), err, "count the inputs");
    if (rc) return rc;
    o->inputs = calloc(o->input_count + 1, sizeof *o->inputs);
    o->input_names = calloc(o->input_count + 1, sizeof *o->input_names);
    o->input_values = calloc(o->input_count + 1, sizeof(OrtValue *));
    if (!o->inputs || !o->input_names || !o->input_values)
        return jl_fail(err, JL_ERR_MEMORY, "no memory for inputs");
    for (size_t i = 0; !rc && i < o->input_count; i++) {
        OrtTypeInfo *info;
        char *name;
        int kind, type;
        rc = ort_check(a, a->SessionGetInputName(o->session, i, o->allocator, &name), err,
                       "name an input");
        if (rc) break;
        o->inputs[i].name = take_string(o, name);
        rc = ort_check(a, a->SessionGetInputTypeInfo(o->session, i, &info), err, "tell a type");
        if (rc) break;
        rc = read_type(o, info, &kind, &type, err);
        a->ReleaseTypeInfo(info);
        if (!rc && kind != ORT_TYPE_TENSOR)
            rc = jl_fail(err, JL_ERR_UNSUPPORTED,
                         "the input '%s' is a sequence, map or optional; only tensors can be given",
                         o->inputs[i].name);
        if (!rc) rc = make_input(o, &o->inputs[i], r, type, err);
        o->input_names[i] = o->inputs[i].name;
        o->input_values[i] = o->inputs[i].value;
    }
    return rc;
}

/* The next call makes its outputs anew: other contents may give other sizes. */
static void forget_outputs(ort *o)
{
    for (int k = 0; k < o->slot_count; k++)
        for (size_t i = 0; !o->slots[k].binding && i < o->output_count; i++) {
            if (o->slots[k].values[i]) o->library.api->ReleaseValue(o->slots[k].values[i]);
            o->slots[k].values[i] = NULL;
        }
}

/* Inputs that were wrapped in place need nothing; copies are made again. */
int ort_refresh(void *ctx, jl_error *err)
{
    ort *o = ctx;
    int rc = 0;
    forget_outputs(o);
    for (size_t i = 0; !rc && i < o->input_count; i++) {
        ort_input *in = &o->inputs[i];
        if (in->dtype == JL_STRING)
            return jl_fail(err, JL_ERR_UNSUPPORTED, "the strings of '%s' cannot be changed",
                           in->name);
        if (!in->owned && !in->device) continue;
        jl_tensor made;
        rc = jl_tensor_cast(&made, in->given, in->dtype, err);
        if (rc) return rc;
        if (in->owned) memcpy(in->owned, made.data, made.size_bytes);
        if (in->device)
            rc = jl_cuda_to_device(&o->cuda, in->device, made.data, made.size_bytes, err);
        free(made.data);
    }
    return rc;
}

static int name_outputs(ort *o, jl_error *err)
{
    const ort_api *a = o->library.api;
    int rc = ort_check(a, a->SessionGetOutputCount(o->session, &o->output_count), err,
                       "count the outputs");
    if (rc) return rc;
    size_t n = o->output_count + 1;
    o->output_names = calloc(n, sizeof *o->output_names);
    o->output_is_tensor = calloc(n, sizeof *o->output_is_tensor);
    o->outputs = calloc(n, sizeof *o->outputs);
    o->output_data = calloc(n, sizeof *o->output_data);
    if (!o->output_names || !o->output_is_tensor || !o->outputs || !o->output_data)
        return jl_fail(err, JL_ERR_MEMORY, "no memory for outputs");
    for (size_t i = 0; !rc && i < o->output_count; i++) {
        OrtTypeInfo *info;
        char *name;
        int kind, type;
        rc = ort_check(a, a->SessionGetOutputName(o->session, i, o->allocator, &name), err,
                       "name an output");
        if (rc) break;
        o->output_names[i] = take_string(o, name);
        rc = ort_check(a, a->SessionGetOutputTypeInfo(o->session, i, &info), err, "tell a type");
        if (rc) break;
        rc = read_type(o, info, &kind, &type, err);
        a->ReleaseTypeInfo(info);
        o->output_is_tensor[i] = kind == ORT_TYPE_TENSOR && type != JL_STRING;
    }
    return rc;
}

/* Outputs are bound to a place, not to a buffer: the library allocates them in the first call
 * and writes into the same memory in every later one. A binding would copy host inputs to the
 * device once, when they are bound, so calls that shall copy go without one. */
static int bind(ort *o, ort_slot *s, jl_error *err)
{
    const ort_api *a = o->library.api;
    s->values = calloc(o->output_count + 1, sizeof(OrtValue *));
    if (!s->values) return jl_fail(err, JL_ERR_MEMORY, "no memory for outputs");
    if (o->copies) return 0;
    int rc = ort_check(a, a->CreateIoBinding(o->session, &s->binding), err, "make a binding");
    for (size_t i = 0; !rc && i < o->input_count; i++)
        rc = ort_check(a, a->BindInput(s->binding, o->inputs[i].name, o->inputs[i].value), err,
                       "bind an input");
    for (size_t i = 0; !rc && i < o->output_count; i++)
        rc = ort_check(a,
                       a->BindOutputToDevice(s->binding, o->output_names[i],
                                             o->output_is_tensor[i] ? o->bound : o->host),
                       err, "bind an output");
    return rc;
}

int ort_make_slots(ort *o, int in_flight, jl_error *err)
{
    int count = in_flight < 1 ? 1 : in_flight;
    int rc = name_outputs(o, err);
    if (rc) return rc;
    o->slots = calloc((size_t)count, sizeof *o->slots);
    if (!o->slots) return jl_fail(err, JL_ERR_MEMORY, "no memory for %d calls in flight", count);
    o->slot_count = count;
    for (int i = 0; !rc && i < count; i++) {
        o->slots[i].owner = o;
        rc = bind(o, &o->slots[i], err);
    }
    return rc;
}

int ort_read_shape(const ort_api *a, const OrtValue *value, jl_tensor *t, jl_error *err)
{
    OrtTensorTypeAndShapeInfo *info;
    int type = JL_UNDEFINED;
    size_t rank = 0;
    int rc = ort_check(a, a->GetTensorTypeAndShape(value, &info), err, "tell a value's shape");
    if (rc) return rc;
    rc = ort_check(a, a->GetTensorElementType(info, &type), err, "tell a value's type");
    if (!rc) rc = ort_check(a, a->GetDimensionsCount(info, &rank), err, "tell a value's rank");
    if (!rc && rank > JL_MAX_RANK)
        rc = jl_fail(err, JL_ERR_LIMIT, "a value has %zu dimensions, more than %d", rank,
                     JL_MAX_RANK);
    if (!rc) rc = ort_check(a, a->GetDimensions(info, t->dims, rank), err, "tell dimensions");
    a->ReleaseTensorTypeAndShapeInfo(info);
    t->dtype = (jl_dtype)type;
    t->rank = (int)rank;
    int64_t n = rc ? 0 : jl_tensor_elements(t);
    if (!rc && (n < 0 || (n > 0 && jl_dtype_bits(t->dtype) == 0)))
        rc = jl_fail(err, JL_ERR_UNSUPPORTED, "a value has element type %d, which is not known",
                     type);
    t->size_bytes = rc ? 0 : jl_dtype_bytes(t->dtype, (uint64_t)n);
    return rc;
}

static int read_output(ort *o, size_t i, OrtValue *value, jl_error *err)
{
    const ort_api *a = o->library.api;
    jl_tensor t = {.name = o->output_names[i]};
    void *data;
    int rc = ort_read_shape(a, value, &t, err);
    if (!rc) rc = ort_check(a, a->GetTensorMutableData(value, &data), err, "give an output");
    if (rc) return rc;
    t.data = data;
    if (o->io_on_device) {
        void *copy = realloc(o->output_data[i], t.size_bytes + 1);
        if (!copy) return jl_fail(err, JL_ERR_MEMORY, "no memory for an output");
        o->output_data[i] = copy;
        t.data = copy;
        rc = jl_cuda_to_host(&o->cuda, copy, (uint64_t)(uintptr_t)data, t.size_bytes, err);
    }
    o->outputs[o->tensor_count++] = t;
    return rc;
}

/* What the binding of slot 0 holds becomes slot 0's values. */
static int fetch_bound(ort *o, jl_error *err)
{
    const ort_api *a = o->library.api;
    ort_slot *s = &o->slots[0];
    OrtValue **values;
    size_t n;
    int rc = ort_check(a, a->GetBoundOutputValues(s->binding, o->allocator, &values, &n), err,
                       "give its outputs");
    if (rc) return rc;
    for (size_t i = 0; i < n; i++) {
        if (i >= o->output_count) {
            a->ReleaseValue(values[i]);
            continue;
        }
        if (s->values[i]) a->ReleaseValue(s->values[i]);
        s->values[i] = values[i];
    }
    if (n > 0) {
        OrtStatus *status = a->AllocatorFree(o->allocator, values);
        if (status) a->ReleaseStatus(status);
    }
    return 0;
}

/* Outputs of slot 0; sequences, maps and strings are left out: they have no numbers to compare. */
int ort_read_outputs(ort *o, const jl_tensor **outputs, size_t *count, jl_error *err)
{
    int rc = o->slots[0].binding ? fetch_bound(o, err) : 0;
    o->tensor_count = 0;
    for (size_t i = 0; !rc && i < o->output_count; i++)
        if (o->output_is_tensor[i] && o->slots[0].values[i])
            rc = read_output(o, i, o->slots[0].values[i], err);
    *outputs = o->outputs;
    *count = o->tensor_count;
    return rc;
}

static void free_slot(ort *o, ort_slot *s)
{
    const ort_api *a = o->library.api;
    for (size_t i = 0; s->values && i < o->output_count; i++)
        if (s->values[i]) a->ReleaseValue(s->values[i]);
    free(s->values);
    if (s->binding) a->ReleaseIoBinding(s->binding);
}

void ort_free_io(ort *o)
{
    const ort_api *a = o->library.api;
    for (int i = 0; i < o->slot_count; i++)
        free_slot(o, &o->slots[i]);
    free(o->slots);
    for (size_t i = 0; o->inputs && i < o->input_count; i++) {
        if (o->inputs[i].value) a->ReleaseValue(o->inputs[i].value);
        free(o->inputs[i].owned);
        jl_cuda_free(&o->cuda, o->inputs[i].device);
        free(o->inputs[i].name);
    }
    free(o->inputs);
    free(o->input_names);
    free(o->input_values);
    for (size_t i = 0; i < o->output_count; i++) {
        if (o->output_names) free(o->output_names[i]);
        if (o->output_data) free(o->output_data[i]);
    }
    free(o->output_names);
    free(o->output_is_tensor);
    free(o->outputs);
    free(o->output_data);
}

#include "wire.h"

#include "base/outfile.h"

static int write_buf(void *ctx, const void *bytes, size_t n, jl_error *err)
{
    jl_buf *b = ctx;
    jl_buf_append(b, bytes, n);
    return b->failed ? jl_fail(err, JL_ERR_MEMORY, "out of memory while writing the model") : 0;
}

int onnx_encode_to(const onnx_model *model, const onnx_payload_source *source,
                   int (*write)(void *ctx, const void *bytes, size_t n, jl_error *err), void *ctx,
                   jl_error *err)
{
    onnx_sink sink = {write, ctx};
    return onnx_encode_message(&onnx_schema_model, model, source, &sink, err);
}

int onnx_encode(const onnx_model *model, jl_buf *out, jl_error *err)
{
    return onnx_encode_to(model, NULL, write_buf, out, err);
}

static int write_file(void *ctx, const void *bytes, size_t n, jl_error *err)
{
    return jl_outfile_write(ctx, bytes, n, err);
}

int onnx_save(const onnx_model *model, const char *path, const onnx_payload_source *source,
              jl_error *err)
{
    jl_outfile file;
    int rc = jl_outfile_open(&file, path, err);
    if (rc) return rc;
    rc = onnx_encode_to(model, source, write_file, &file, err);
    if (rc && rc != JL_ERR_IO) jl_prefix(err, "cannot write %s", path); /* which says so itself */
    return jl_outfile_close(&file, rc, err);
}

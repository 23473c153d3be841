/* onnx_roundtrip [IN OUT]...: reads each model and writes it again. With no arguments, takes the
 * pairs from standard input, one path a line. Prints a line "ok" or the error for each pair. */
#include "model/onnx/onnx.h"

#include <stdio.h>

static void roundtrip(const char *in, const char *out)
{
    jl_error err = {0};
    onnx_file *file = NULL;
    int rc = onnx_open(in, &file, &err);
    if (!rc) rc = onnx_save(file->model, out, NULL, &err);
    printf("%s\n", rc ? err.msg : "ok");
    onnx_close(file);
}

int main(int argc, char **argv)
{
    char in[4096], out[4096];
    for (int i = 1; i + 1 < argc; i += 2)
        roundtrip(argv[i], argv[i + 1]);
    while (argc == 1 && fgets(in, sizeof in, stdin) && fgets(out, sizeof out, stdin)) {
        in[strcspn(in, "\n")] = out[strcspn(out, "\n")] = '\0';
        roundtrip(in, out);
    }
    return 0;
}

/* safetensors files. */
#include "memory_file.h"
#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memory_file(data, size, path, sizeof path);
    jl_safetensors *file = NULL;
    jl_error err = {0};
    if (jl_safetensors_open(path, &file, &err) == 0)
        jl_safetensors_close(file);
    else if (!err.msg[0])
        abort();
    close(fd);
    return 0;
}

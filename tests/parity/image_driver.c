/* image_driver FILE PREPROCESS HEIGHT WIDTH: the preprocessed picture as raw floats on stdout. */
#include "base/image.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 5) return 2;
    int height = atoi(argv[3]), width = atoi(argv[4]);
    jl_error err = {0};
    jl_image image;
    jl_preprocess p;
    size_t n = (size_t)height * (size_t)width * 3;
    float *floats = malloc(n * sizeof *floats);
    int rc = floats ? jl_preprocess_parse(argv[2], &p, &err) : JL_ERR_MEMORY;
    if (!rc) rc = jl_image_read(argv[1], &image, &err);
    if (!rc) {
        rc = jl_image_to_floats(&image, &p, height, width, floats, &err);
        jl_image_free(&image);
    }
    if (rc)
        fprintf(stderr, "%s\n", err.msg);
    else
        fwrite(floats, sizeof *floats, n, stdout);
    free(floats);
    return rc ? 1 : 0;
}

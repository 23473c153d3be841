/* Pictures as input of image models: JPEG and PNG files to RGB bytes, resized, cropped and
 * normalised as image classifiers are usually fed.
 *
 * Resizing is Pillow's bilinear filter with antialiasing (a triangle whose support grows with the
 * reduction, Pillow's Resample.c), which torchvision's transforms use on pictures: horizontally,
 * then vertically, rounded to bytes after each pass. */
#ifndef JL_BASE_IMAGE_H
#define JL_BASE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "jouleline/error.h"

typedef struct jl_image {
    int width, height;
    uint8_t *rgb; /* height x width x 3; free with jl_image_free */
} jl_image;

/* Decodes a JPEG or PNG file, whichever its first bytes say. Grey and palette pictures become
 * RGB, alpha is dropped. JL_ERR_FORMAT names the file and the decoder's words; pictures of more
 * than 2^28 pixels are refused (JL_ERR_LIMIT). */
int jl_image_read(const char *path, jl_image *image, jl_error *err);
void jl_image_free(jl_image *image);

typedef struct jl_preprocess {
    int resize;    /* the shorter side becomes this many pixels; 0: left alone */
    int crop;      /* then a centred square of this side is cut out; 0: left alone */
    float mean[3]; /* of each channel in the order of the file's colours, after division by 255 */
    float std[3];
    bool bgr; /* channels are stored blue, green, red */
} jl_preprocess;

/* resize=256,crop=224,mean=0.485:0.456:0.406,std=0.229:0.224:0.225,order=rgb; what is not said
 * keeps ImageNet's usual values (those). JL_ERR_USAGE names the part that is wrong. */
int jl_preprocess_parse(const char *text, jl_preprocess *p, jl_error *err);

/* One picture to floats, [3, height, width]; the picture's size after resize and crop must be
 * height x width (JL_ERR_USAGE says what it is). */
int jl_image_to_floats(const jl_image *image, const jl_preprocess *p, int height, int width,
                       float *to, jl_error *err);

#endif

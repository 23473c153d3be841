#include "base/image.h"
#include "base/str.h"

#include <fcntl.h>
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

enum { LARGEST_PIXELS = 1 << 28 };

void jl_image_free(jl_image *image)
{
    free(image->rgb);
    *image = (jl_image){0};
}

static int allocate(jl_image *image, long width, long height, const char *what, jl_error *err)
{
    if (width <= 0 || height <= 0 || width > LARGEST_PIXELS / height)
        return jl_fail(err, JL_ERR_LIMIT, "%s: a picture of %ld x %ld pixels is refused", what,
                       width, height);
    *image = (jl_image){.width = (int)width, .height = (int)height};
    image->rgb = malloc((size_t)width * (size_t)height * 3);
    return image->rgb ? 0 : jl_fail(err, JL_ERR_MEMORY, "%s: out of memory", what);
}

static void close_file(FILE **f)
{
    if (*f) fclose(*f);
}

static int read_whole(const char *path, jl_buf *bytes, jl_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is empty, not waited for */
    JL_CLEANUP(close_file) FILE *f = fd < 0 ? NULL : fdopen(fd, "rb");
    if (!f) return jl_fail_errno(err, JL_ERR_IO, "cannot open %s", path);
    char chunk[1 << 16];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        jl_buf_append(bytes, chunk, n);
    if (ferror(f)) return jl_fail_errno(err, JL_ERR_IO, "cannot read %s", path);
    return bytes->failed ? jl_fail(err, JL_ERR_MEMORY, "%s: out of memory", path) : 0;
}

/* libjpeg paints over what is missing and warns. These two warnings lose nothing of the picture. */
static bool harmless(const char *warning)
{
    return strstr(warning, "extraneous bytes") || strstr(warning, "Invalid SOS parameters");
}

/* CMYK as Pillow turns it to RGB. The file holds 255 minus each ink, as Adobe's do. */
static void cmyk_to_rgb(const uint8_t *cmyk, size_t pixels, uint8_t *rgb)
{
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < 3; c++) {
            unsigned white = cmyk[4 * i + 3], ink = (255u - cmyk[4 * i + c]) * white + 128;
            rgb[3 * i + c] = (uint8_t)(white - (((ink >> 8) + ink) >> 8));
        }
}

static int decode_jpeg(tjhandle decoder, const char *path, const jl_buf *bytes, int format,
                       const jl_image *image, uint8_t *pixels, jl_error *err)
{
    const unsigned char *p = (const unsigned char *)bytes->p;
    if (tjDecompress2(decoder, p, bytes->n, pixels, image->width, 0, image->height, format,
                      TJFLAG_ACCURATEDCT) &&
        (tjGetErrorCode(decoder) != TJERR_WARNING || !harmless(tjGetErrorStr2(decoder))))
        return jl_fail(err, JL_ERR_FORMAT, "%s does not decode: %s", path, tjGetErrorStr2(decoder));
    return 0;
}

static int decode_cmyk_jpeg(tjhandle decoder, const char *path, const jl_buf *bytes,
                            jl_image *image, jl_error *err)
{
    size_t pixels = (size_t)image->width * (size_t)image->height;
    uint8_t *cmyk = malloc(4 * pixels);
    if (!cmyk) return jl_fail(err, JL_ERR_MEMORY, "%s: out of memory", path);
    int rc = decode_jpeg(decoder, path, bytes, TJPF_CMYK, image, cmyk, err);
    if (!rc) cmyk_to_rgb(cmyk, pixels, image->rgb);
    free(cmyk);
    return rc;
}

static int read_jpeg(const char *path, const jl_buf *bytes, jl_image *image, jl_error *err)
{
    tjhandle decoder = tjInitDecompress();
    if (!decoder) return jl_fail(err, JL_ERR_MEMORY, "%s: out of memory", path);
    int width, height, sampling, colours;
    const unsigned char *p = (const unsigned char *)bytes->p;
    int rc = 0;
    if (tjDecompressHeader3(decoder, p, bytes->n, &width, &height, &sampling, &colours))
        rc =
            jl_fail(err, JL_ERR_FORMAT, "%s is no JPEG picture: %s", path, tjGetErrorStr2(decoder));
    if (!rc) rc = allocate(image, width, height, path, err);
    if (!rc && (colours == TJCS_CMYK || colours == TJCS_YCCK))
        rc = decode_cmyk_jpeg(decoder, path, bytes, image, err);
    else if (!rc)
        rc = decode_jpeg(decoder, path, bytes, TJPF_RGB, image, image->rgb, err);
    tjDestroy(decoder);
    return rc;
}

static int read_png(const char *path, const jl_buf *bytes, jl_image *image, jl_error *err)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(&png, bytes->p, bytes->n))
        return jl_fail(err, JL_ERR_FORMAT, "%s is no PNG picture: %s", path, png.message);
    png.format = PNG_FORMAT_RGBA;
    png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* values of 16 bits mean what those of 8 bits do */
    int rc = allocate(image, (long)png.width, (long)png.height, path, err);
    size_t pixels = rc ? 0 : (size_t)image->width * (size_t)image->height;
    uint8_t *rgba = rc ? NULL : malloc(pixels * 4);
    if (!rc && !rgba) rc = jl_fail(err, JL_ERR_MEMORY, "%s: out of memory", path);
    if (!rc && !png_image_finish_read(&png, NULL, rgba, 0, NULL))
        rc = jl_fail(err, JL_ERR_FORMAT, "%s does not decode: %s", path, png.message);
    for (size_t i = 0; !rc && i < pixels; i++)
        memcpy(image->rgb + i * 3, rgba + i * 4, 3);
    png_image_free(&png);
    free(rgba);
    return rc;
}

int jl_image_read(const char *path, jl_image *image, jl_error *err)
{
    *image = (jl_image){0};
    JL_CLEANUP(jl_buf_free) jl_buf bytes = {0};
    int rc = read_whole(path, &bytes, err);
    if (rc) return rc;
    if (bytes.n > 3 && !memcmp(bytes.p, "\xFF\xD8\xFF", 3))
        rc = read_jpeg(path, &bytes, image, err);
    else if (bytes.n > 8 && !memcmp(bytes.p, "\x89PNG\r\n\x1A\n", 8))
        rc = read_png(path, &bytes, image, err);
    else
        rc = jl_fail(err, JL_ERR_FORMAT, "%s is neither a JPEG nor a PNG picture", path);
    if (rc) jl_image_free(image);
    return rc;
}

/* The weights with which each output pixel takes input pixels [first, first + count). */
enum { WEIGHT_BITS = 22 };
typedef struct filter {
    int *first, *count;
    int32_t *weights; /* `taps` for each output pixel, in units of 2^-22 as in Pillow */
    int taps;
} filter;

static void filter_free(filter *f)
{
    free(f->first);
    free(f->count);
    free(f->weights);
}

static double triangle(int k, double centre, double support)
{
    double x = fabs((k - centre + 0.5) / support);
    return x < 1 ? 1 - x : 0;
}

static bool filter_make(filter *f, int in, int out)
{
    double scale = (double)in / out, support = scale > 1 ? scale : 1;
    f->taps = (int)ceil(support) * 2 + 1;
    f->first = calloc((size_t)out, sizeof *f->first);
    f->count = calloc((size_t)out, sizeof *f->count);
    f->weights = calloc((size_t)out * (size_t)f->taps, sizeof *f->weights);
    if (!f->first || !f->count || !f->weights) return false;
    for (int i = 0; i < out; i++) {
        double centre = (i + 0.5) * scale, sum = 0;
        int low = (int)(centre - support + 0.5), high = (int)(centre + support + 0.5);
        if (low < 0) low = 0;
        if (high > in) high = in;
        int32_t *w = f->weights + (size_t)i * (size_t)f->taps;
        for (int k = low; k < high; k++)
            sum += triangle(k, centre, support);
        for (int k = low; k < high; k++)
            w[k - low] = (int32_t)(triangle(k, centre, support) / sum * (1 << WEIGHT_BITS) + 0.5);
        f->first[i] = low;
        f->count[i] = high - low;
    }
    return true;
}

/* One pass along a line: `out` pixels, each `step` bytes from the next, in and out alike. */
static void filter_line(const filter *f, const uint8_t *from, uint8_t *to, size_t step, int out)
{
    for (int i = 0; i < out; i++) {
        const int32_t *w = f->weights + (size_t)i * (size_t)f->taps;
        const uint8_t *p = from + (size_t)f->first[i] * step;
        for (size_t c = 0; c < 3; c++) {
            int32_t sum = 1 << (WEIGHT_BITS - 1);
            for (int k = 0; k < f->count[i]; k++)
                sum += w[k] * p[(size_t)k * step + c];
            sum >>= WEIGHT_BITS;
            to[(size_t)i * step + c] = (uint8_t)(sum > 255 ? 255 : sum);
        }
    }
}

static int resize(const jl_image *from, int width, int height, jl_image *to, jl_error *err)
{
    *to = (jl_image){0};
    filter across = {0}, down = {0};
    jl_image narrow = {0};
    int rc = allocate(&narrow, width, from->height, "resizing", err);
    if (!rc) rc = allocate(to, width, height, "resizing", err);
    if (!rc &&
        (!filter_make(&across, from->width, width) || !filter_make(&down, from->height, height)))
        rc = jl_fail(err, JL_ERR_MEMORY, "resizing: out of memory");
    size_t row = (size_t)from->width * 3, narrow_row = (size_t)width * 3;
    for (int y = 0; !rc && y < from->height; y++)
        filter_line(&across, from->rgb + (size_t)y * row, narrow.rgb + (size_t)y * narrow_row, 3,
                    width);
    for (int x = 0; !rc && x < width; x++)
        filter_line(&down, narrow.rgb + (size_t)x * 3, to->rgb + (size_t)x * 3, narrow_row, height);
    filter_free(&across);
    filter_free(&down);
    jl_image_free(&narrow);
    if (rc) jl_image_free(to);
    return rc;
}

static int parse_three(const char *text, float values[3], bool divisor, jl_error *err)
{
    int used = 0;
    if (sscanf(text, "%f:%f:%f%n", &values[0], &values[1], &values[2], &used) != 3 || text[used])
        return jl_fail(err, JL_ERR_USAGE, "'%s' is not three numbers R:G:B", text);
    for (int i = 0; i < 3; i++)
        if (!isfinite(values[i]) || (divisor && values[i] <= 0))
            return jl_fail(err, JL_ERR_USAGE, "'%s': %s", text,
                           divisor ? "a standard deviation must be above 0"
                                   : "not a finite number");
    return 0;
}

static int parse_pixels(const char *key, const char *text, int *value, jl_error *err)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (end == text || *end || n < 1 || n > 1 << 14)
        return jl_fail(err, JL_ERR_USAGE, "%s=%s is not a number of pixels", key, text);
    *value = (int)n;
    return 0;
}

int jl_preprocess_parse(const char *text, jl_preprocess *p, jl_error *err)
{
    *p = (jl_preprocess){256, 224, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, false};
    char copy[512];
    if ((size_t)snprintf(copy, sizeof copy, "%s", text) >= sizeof copy)
        return jl_fail(err, JL_ERR_USAGE, "--preprocess is longer than %zu characters",
                       sizeof copy);
    char *rest = NULL;
    for (char *part = strtok_r(copy, ",", &rest); part; part = strtok_r(NULL, ",", &rest)) {
        char *value = strchr(part, '=');
        if (!value) return jl_fail(err, JL_ERR_USAGE, "--preprocess: '%s' has no '='", part);
        *value++ = '\0';
        int rc = 0;
        if (!strcmp(part, "resize"))
            rc = parse_pixels(part, value, &p->resize, err);
        else if (!strcmp(part, "crop"))
            rc = parse_pixels(part, value, &p->crop, err);
        else if (!strcmp(part, "mean"))
            rc = parse_three(value, p->mean, false, err);
        else if (!strcmp(part, "std"))
            rc = parse_three(value, p->std, true, err);
        else if (!strcmp(part, "order") && (!strcmp(value, "rgb") || !strcmp(value, "bgr")))
            p->bgr = value[0] == 'b';
        else
            rc = jl_fail(err, JL_ERR_USAGE,
                         "--preprocess takes resize=N, crop=N, mean=R:G:B, std=R:G:B, order=rgb or "
                         "order=bgr, not %s=%s",
                         part, value);
        if (rc) return rc;
    }
    return 0;
}

int jl_image_to_floats(const jl_image *image, const jl_preprocess *p, int height, int width,
                       float *to, jl_error *err)
{
    jl_image scaled = {0};
    const jl_image *use = image;
    int shorter = image->width < image->height ? image->width : image->height;
    if (p->resize && p->resize != shorter) {
        int64_t w = (int64_t)image->width * p->resize / shorter;
        int64_t h = (int64_t)image->height * p->resize / shorter;
        if (w > LARGEST_PIXELS || h > LARGEST_PIXELS)
            return jl_fail(err, JL_ERR_LIMIT, "a picture of %d x %d cannot be resized to %d",
                           image->width, image->height, p->resize);
        int rc = resize(image, (int)w, (int)h, &scaled, err);
        if (rc) return rc;
        use = &scaled;
    }
    int cut_w = p->crop ? p->crop : use->width, cut_h = p->crop ? p->crop : use->height, rc = 0;
    if (cut_w > use->width || cut_h > use->height)
        rc = jl_fail(err, JL_ERR_USAGE, "crop=%d is larger than the picture's %d x %d", p->crop,
                     use->width, use->height);
    else if (cut_w != width || cut_h != height)
        rc = jl_fail(err, JL_ERR_USAGE,
                     "preprocessing yields %d x %d and the model takes %d x %d; "
                     "set resize= and crop=",
                     cut_w, cut_h, width, height);
    /* torchvision's centre: Python's round of the half difference, ties to even. */
    int left = (int)lrint((use->width - cut_w) / 2.0),
        top = (int)lrint((use->height - cut_h) / 2.0);
    for (size_t c = 0; !rc && c < 3; c++) {
        float *plane = to + (p->bgr ? 2 - c : c) * (size_t)height * (size_t)width;
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                size_t at = ((size_t)(top + y) * (size_t)use->width + (size_t)(left + x)) * 3 + c;
                *plane++ = ((float)use->rgb[at] / 255.0f - p->mean[c]) / p->std[c];
            }
    }
    jl_image_free(&scaled);
    return rc;
}

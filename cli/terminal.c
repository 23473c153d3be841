#include "terminal.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/str.h"

static const int64_t redraw_ns = JL_NS_PER_S / 10, plain_ns = 5 * JL_NS_PER_S;

size_t jl_terminal_width(FILE *stream)
{
    struct winsize size;
    if (!isatty(fileno(stream)) || ioctl(fileno(stream), TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return JL_TABLE_WIDTH;
    return size.ws_col < 40 ? 40 : size.ws_col;
}

void jl_print_table(FILE *stream, const jl_column *columns, size_t count, const char *const *cells,
                    size_t rows)
{
    jl_buf b JL_CLEANUP(jl_buf_free) = {0};
    jl_text_table(&b, columns, count, cells, rows, jl_terminal_width(stream));
    if (b.n) fwrite(b.p, 1, b.n, stream);
}

void jl_duration_words(int64_t ns, char *words, size_t size)
{
    long s = (long)((ns + JL_NS_PER_S / 2) / JL_NS_PER_S);
    if (s < 60) {
        snprintf(words, size, "%ld s", s);
    } else if (s < 3600) {
        snprintf(words, size, "%ld min %ld s", s / 60, s % 60);
    } else {
        snprintf(words, size, "%ld h %ld min", s / 3600, s / 60 % 60);
    }
}

void jl_progress_start(jl_progress *p, FILE *stream, const jl_clock *clock, size_t total,
                       bool quiet)
{
    *p = (jl_progress){.stream = stream, .clock = clock, .total = total, .quiet = quiet};
    p->terminal = isatty(fileno(stream));
    p->start_ns = clock->now_ns(clock->ctx);
    p->last_ns = p->start_ns - plain_ns;
}

static void clear_line(jl_progress *p)
{
    if (p->drawn) fputs("\r\033[K", p->stream);
    p->drawn = false;
}

void jl_progress_update(jl_progress *p, size_t done, const char *now)
{
    int64_t now_ns = p->clock->now_ns(p->clock->ctx);
    p->done = done;
    if (p->quiet || now_ns - p->last_ns < (p->terminal ? redraw_ns : plain_ns)) return;
    p->last_ns = now_ns;
    jl_buf line JL_CLEANUP(jl_buf_free) = {0};
    jl_buf_printf(&line, "[%zu/%zu] %s", done, p->total, now);
    if (done && done < p->total) {
        char left[32];
        double per_step_ns = (double)(now_ns - p->start_ns) / (double)done;
        jl_duration_words((int64_t)(per_step_ns * (double)(p->total - done)), left, sizeof left);
        jl_buf_printf(&line, ", %s left", left);
    }
    if (!line.p) return;
    clear_line(p);
    if (p->terminal)
        fprintf(p->stream, "%.*s", (int)jl_terminal_width(p->stream) - 1, line.p);
    else
        fprintf(p->stream, "%s\n", line.p);
    p->drawn = p->terminal;
    fflush(p->stream);
}

void jl_progress_say(jl_progress *p, const char *line)
{
    clear_line(p);
    fprintf(p->stream, "%s\n", line);
    fflush(p->stream);
}

void jl_progress_end(jl_progress *p)
{
    clear_line(p);
    fflush(p->stream);
}

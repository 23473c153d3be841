#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "jouleline/runtime.h"
#include "study/worker.h"

typedef struct settings {
    int64_t control_fd, ring_fd, nursery_fd;
    jl_words plugins;
} settings;

static const jl_option options[] = {
    {.name = "control-fd",
     .kind = JL_OPT_INT,
     .argument = "N",
     .min = 3,
     .max = 4096,
     .offset = offsetof(settings, control_fd),
     .help = "the control channel"},
    {.name = "ring-fd",
     .kind = JL_OPT_INT,
     .argument = "M",
     .min = 3,
     .max = 4096,
     .offset = offsetof(settings, ring_fd),
     .help = "the sample memory"},
    {.name = "nursery-fd",
     .kind = JL_OPT_INT,
     .argument = "N",
     .min = 3,
     .max = 4096,
     .conflict = "control-fd",
     .offset = offsetof(settings, nursery_fd),
     .help = "the channel of a nursery"},
    {.name = "plugin",
     .kind = JL_OPT_TEXTS,
     .argument = "FILE",
     .offset = offsetof(settings, plugins),
     .help = "load a runtime from a shared object"},
    {0},
};

static int run(const jl_invocation *call)
{
    const settings *s = call->settings;
    jl_error err = {0};
    jl_worker_bind();
    for (size_t i = 0; i < s->plugins.count; i++)
        if (jl_runtime_load_plugin(s->plugins.items[i], &err)) return jl_report_error(call, &err);
    if (s->nursery_fd) return jl_nursery_serve((int)s->nursery_fd);
    if (!s->control_fd || !s->ring_fd) {
        jl_fail(&err, JL_ERR_USAGE,
                "a worker is started by 'jouleline run', with --control-fd and "
                "--ring-fd");
        return jl_report_error(call, &err);
    }
    return jl_worker_serve((int)s->control_fd, (int)s->ring_fd, "exec");
}

const jl_command jl_command_worker = {
    .name = "worker",
    .summary = "one run in a process of its own (started by 'run')",
    .about = "Speaks the protocol of doc/worker_protocol.md on inherited descriptors.",
    .hidden = true,
    .options = options,
    .settings_size = sizeof(settings),
    .run = run,
};

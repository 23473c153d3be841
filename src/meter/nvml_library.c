/* Finding NVML, starting it, and the two calls that need more than their symbol. */
#include <dlfcn.h>
#include <stdio.h>

#include "base/dl.h"
#include "meter/nvml_abi.h"
#include "meter/sysfs.h"

const char *jl_nvml_words(const nvml_api *api, int rc)
{
    return api->error_string ? api->error_string(rc) : "error";
}

static const char *remedy(int rc)
{
    switch (rc) {
    case NVML_DRIVER_NOT_LOADED:
        return "sudo modprobe nvidia";
    case NVML_NO_PERMISSION:
        return "sudo chmod a+rw /dev/nvidia* (or join the group that owns them)";
    case NVML_VERSION_MISMATCH:
        return "reboot: the driver was updated, but the old kernel module still runs";
    default:
        return "nvidia-smi should list the GPU; in a container, start it with --gpus all";
    }
}

int jl_nvml_load(const jl_meter_options *options, nvml_api *api, jl_error *err)
{
    char path[1024] = "libnvidia-ml.so.1";
    if (options->args && options->args[0])
        snprintf(path, sizeof path, "%s", options->args);
    else if (options->root && options->root[0])
        jl_sysfs_path(path, sizeof path, options->root, "/usr/lib/libnvidia-ml.so.1");
    const jl_symbol symbols[] = {
        {"nvmlInit_v2", (void **)&api->init, true},
        {"nvmlShutdown", (void **)&api->shutdown, true},
        {"nvmlErrorString", (void **)&api->error_string, false},
        {"nvmlSystemGetDriverVersion", (void **)&api->driver_version, false},
        {"nvmlDeviceGetCount_v2", (void **)&api->count, true},
        {"nvmlDeviceGetHandleByIndex_v2", (void **)&api->by_index, true},
        {"nvmlDeviceGetName", (void **)&api->name, false},
        {"nvmlDeviceGetUUID", (void **)&api->uuid, true},
        {"nvmlDeviceGetArchitecture", (void **)&api->architecture, false},
        {"nvmlDeviceGetMigMode", (void **)&api->mig_mode, false},
        {"nvmlDeviceGetTotalEnergyConsumption", (void **)&api->energy, false},
        {"nvmlDeviceGetPowerUsage", (void **)&api->power, false},
        {"nvmlDeviceGetFieldValues", (void **)&api->fields, false},
        {"nvmlDeviceGetTemperature", (void **)&api->temperature, false},
        {"nvmlDeviceGetClockInfo", (void **)&api->clock, false},
        {"nvmlDeviceGetEnforcedPowerLimit", (void **)&api->power_limit, false},
        {"nvmlDeviceGetCurrentClocksEventReasons", (void **)&api->reasons, false},
        {"nvmlDeviceGetCurrentClocksThrottleReasons", (void **)&api->old_reasons, false},
        {"nvmlDeviceGetComputeRunningProcesses_v3", (void **)&api->processes, false},
        {"nvmlDeviceGetCurrPcieLinkGeneration", (void **)&api->link_generation, false},
        {"nvmlDeviceGetCurrPcieLinkWidth", (void **)&api->link_width, false},
        {"nvmlDeviceGetMaxPcieLinkGeneration", (void **)&api->link_most_generation, false},
        {"nvmlDeviceGetMaxPcieLinkWidth", (void **)&api->link_most_width, false},
        {0},
    };
    int rc = jl_dl_open(path, symbols, &api->library, err);
    if (rc) return rc;
    if (!api->reasons) api->reasons = api->old_reasons;
    rc = api->init();
    if (rc == NVML_OK) return 0;
    jl_fail(err, JL_ERR_MISSING, "NVML does not start: %s; to fix: %s", jl_nvml_words(api, rc),
            remedy(rc));
    dlclose(api->library);
    api->library = NULL;
    return JL_ERR_MISSING;
}

bool jl_nvml_field(const nvml_api *api, nvml_device device, uint32_t id, uint32_t scope,
                   double *out)
{
    nvml_field f = {.field = id, .scope = scope};
    if (!api->fields || api->fields(device, 1, &f) != NVML_OK || f.result != NVML_OK) return false;
    switch (f.type) {
    case 0:
        *out = f.value.d;
        return true;
    case 1:
        *out = f.value.u32;
        return true;
    case 2:
    case 3:
        *out = (double)f.value.u64;
        return true;
    case 4:
        *out = (double)f.value.i64;
        return true;
    case 5:
        *out = f.value.i32;
        return true;
    case 6:
        *out = f.value.u16;
        return true;
    default:
        return false;
    }
}

/* From the store to the arrays of the analysis: joules and idle powers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "store/load_private.h"

/* Adds a meter's label to the list, unless it is there or `last` had the same number. */
static int name_meter(loader *l, jl_id meter, jl_id *last, jl_error *err)
{
    if (!meter || meter == *last) return 0;
    *last = meter;
    sqlite3_stmt *q;
    int rc = jl_sql_query(l->s, &q, err, "SELECT label, name FROM meter WHERE id = ?", "r", meter);
    if (rc) return rc;
    if (sqlite3_step(q) == SQLITE_ROW) {
        char label[200], *all = l->d->meters;
        size_t used = strlen(all);
        snprintf(label, sizeof label, "%.160s (%.30s)", (const char *)sqlite3_column_text(q, 0),
                 (const char *)sqlite3_column_text(q, 1));
        if (!strstr(all, label) && used + strlen(label) + 3 < sizeof l->d->meters)
            snprintf(all + used, sizeof l->d->meters - used, "%s%s", used ? ", " : "", label);
    }
    return jl_sql_end(l->s, q, 0, err);
}

int jl_load_energy(loader *l, jl_error *err)
{
    static const int columns[JL_METRIC_COUNT] = {
        [JL_ENERGY] = 1, [JL_ENERGY_NET_WAKING] = 2, [JL_ENERGY_NET_SLEEPING] = 3};
    sqlite3_stmt *q;
    int rc = jl_sql_query(l->s, &q, err,
                          "SELECT run, gross_j_per_item, net_waking_j_per_item, "
                          "net_sleeping_j_per_item, reason, modelled, meter, power_w, "
                          "gross_se_j, sensor_se_j, net_waking_se_j, drift_rel, power_check_rel "
                          "FROM energy "
                          "WHERE headline = 1 ORDER BY id",
                          "");
    if (rc) return rc;
    jl_id last = 0;
    while (!rc && sqlite3_step(q) == SQLITE_ROW) {
        const run_place *to = jl_load_run(l, sqlite3_column_int64(q, 0));
        if (!to || to->round == UINT32_MAX) continue;
        size_t at = (size_t)to->slot * l->d->table.rounds + to->round;
        for (int m = JL_ENERGY; m <= JL_ENERGY_NET_SLEEPING; m++) {
            double v = jl_load_number(q, columns[m]);
            if (!isfinite(v)) continue;
            l->d->values[m][at] = v;
            l->d->table.values[m] = l->d->values[m];
            if (m == JL_ENERGY) rc = name_meter(l, sqlite3_column_int64(q, 6), &last, err);
        }
        for (int k = JL_DETAIL_ENERGY_SE; k < JL_DETAIL_COUNT && !rc; k++)
            rc = jl_load_detail(l, (jl_detail)k, at, jl_load_number(q, 8 + k - JL_DETAIL_ENERGY_SE),
                                err);
        double power_w = jl_load_number(q, 7);
        if (isfinite(power_w)) {
            l->slots[to->slot].powers++;
            l->slots[to->slot].power_sum_w += power_w;
        }
        const char *reason = (const char *)sqlite3_column_text(q, 4);
        if (reason && !*l->d->no_energy)
            snprintf(l->d->no_energy, sizeof l->d->no_energy, "%s", reason);
        l->d->table.modelled_energy |= sqlite3_column_int(q, 5) != 0;
    }
    rc = jl_sql_end(l->s, q, rc, err);
    for (uint32_t i = 0; i < l->slot_count; i++) {
        const slot *of = &l->slots[i];
        l->out[i].power_w = of->powers ? of->power_sum_w / of->powers : NAN;
    }
    return rc;
}

int jl_load_idles(loader *l, jl_error *err)
{
    jl_study_idle *all = NULL;
    sqlite3_stmt *q;
    int rc = jl_sql_query(
        l->s, &q, err,
        "SELECT coalesce(device.id, 0), meter.label, idle.level, idle.round, idle.power_w, "
        "idle.power_se_w, idle.sm_clock_mhz, idle.temperature_c, count(*) OVER () "
        "FROM idle JOIN meter ON meter.id = idle.meter "
        "LEFT JOIN device ON device.uid = meter.device_uid "
        "WHERE idle.power_w IS NOT NULL "
        "AND (meter.device_uid IS NULL OR "
        "(device.id IS NOT NULL AND (idle.device IS NULL OR idle.device = device.id))) "
        "AND idle.round IN (SELECT id FROM round WHERE study IN " SAME_STUDY ") "
        "ORDER BY device.id, meter.label, idle.level, idle.round, idle.id",
        "ri", l->study, (int64_t)l->alone);
    while (!rc && sqlite3_step(q) == SQLITE_ROW) {
        if (!all)
            all = jl_arena_array(l->d->arena, (size_t)sqlite3_column_int64(q, 8), sizeof *all);
        if (!all) rc = jl_load_no_memory(err);
        uint32_t device = jl_load_place(&l->devices, sqlite3_column_int64(q, 0)),
                 round = jl_load_place(&l->rounds, sqlite3_column_int64(q, 3));
        if (rc || round == UINT32_MAX) continue;
        const jl_study_device *d = device == UINT32_MAX ? NULL : &l->d->table.devices[device];
        all[l->d->table.idle_count++] =
            (jl_study_idle){.label = d ? d->name : jl_load_text(l, q, 1),
                            .uuid = d ? d->uuid : NULL,
                            .waking = !strcmp((const char *)sqlite3_column_text(q, 2), "waking"),
                            .round = round,
                            .power_w = jl_load_number(q, 4),
                            .power_se_w = jl_load_number(q, 5),
                            .sm_clock_mhz = jl_load_number(q, 6),
                            .temperature_c = jl_load_number(q, 7)};
    }
    l->d->table.idles = all;
    return jl_sql_end(l->s, q, rc, err);
}

/* The statements of a published study, encoded as a table, come out as sentences; changing an
 * input changes its sentence. */
#include "jouleline/findings.h"
#include "jouleline/portability.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "reference_study.h"

static ref_study study;

static jl_findings find_in(const ref_inputs *in)
{
    jl_findings f;
    jl_error err = {0};
    ref_make(&study, in);
    assert_int_equal(jl_study_table_check(&study.t, &err), 0);
    if (jl_find(&study.t, NULL, &f, &err)) fail_msg("%s", err.msg);
    return f;
}

/* A finding whose text has every one of the parts. */
static bool says(const jl_findings *f, jl_finding_kind kind, const char *const *parts)
{
    for (size_t i = 0; i < f->count; i++) {
        bool all = f->items[i].kind == kind;
        for (size_t k = 0; parts[k] && all; k++)
            all = strstr(f->items[i].text, parts[k]) != NULL;
        if (all) return true;
    }
    return false;
}

#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

typedef struct statement {
    jl_finding_kind kind;
    const char *const *parts;
    void (*change)(ref_inputs *in); /* after which it must no longer be said */
} statement;

static void slower_runtime(ref_inputs *in)
{
    for (int m = 0; m < REF_MODELS; m++)
        in->runtime_gain[m] *= 0.9;
}
static void milder_half(ref_inputs *in)
{
    in->fp16_a[VIT] = 3;
}
static void fixed_efficientnet(ref_inputs *in)
{
    in->efficientnet_fp16_a = JL_OUTCOME_OK;
}
static void smaller_half_gain(ref_inputs *in)
{
    for (int m = REF_LIGHT; m < REF_MODELS; m++)
        in->fp16_b_32[m] *= 0.8;
}
static void no_attention_gain(ref_inputs *in)
{
    in->fp16_b_1[SWIN] = 1;
}
static void attention_accepted(ref_inputs *in)
{
    in->attention_ort_fp16 = JL_OUTCOME_OK;
}
static void faster_b(ref_inputs *in)
{
    in->a_over_b[0] = 0.9;
}
static void less_agreement(ref_inputs *in)
{
    in->int8_agree[0] = 900;
}
static void more_saving(ref_inputs *in)
{
    in->int8_saving[0] = 0.7;
}
static void denser_work(ref_inputs *in)
{
    for (int m = 0; m < REF_LIGHT; m++)
        in->intensity[m] *= 4;
}
static void cheaper_lightweight(ref_inputs *in)
{
    for (int m = 0; m < REF_LIGHT; m++)
        in->joules[m] = 0.1;
}

#define A "GeForce GTX 1650"
#define B "GeForce RTX 3060"

static const statement statements[] = {
    {JL_FINDING_RUNTIME,
     PARTS("On " A ", ort-cuda/fp32 is faster than pytorch-cuda/fp32 at batch 1 ", "all 2.01 +- ",
           "lightweight 2.79 +- 0.35, standard 1.16 +- 0.18, layernorm 1.05 +- 0.29"),
     slower_runtime},
    {JL_FINDING_RUNTIME,
     PARTS("On " B ", ort-cuda/fp32 is faster than pytorch-cuda/fp32 at batch 1 ", "all 2.01 +- "),
     slower_runtime},
    {JL_FINDING_PRECISION,
     PARTS(
         "On " A
         ", pytorch-cuda/fp16 is slower than pytorch-cuda/fp32 at batch 1 for 15 of 15 models:",
         "lightweight +16 %, standard +115 %, layernorm +188 % on average, worst vit_b_16 +279 %"),
     milder_half},
    {JL_FINDING_FAILURE,
     PARTS("efficientnet_b3 in pytorch-cuda/fp16 at batch 32 fails numerically", "unusable on " A),
     fixed_efficientnet},
    {JL_FINDING_PRECISION,
     PARTS("On " B
           ", pytorch-cuda/fp16 is faster than pytorch-cuda/fp32 at batch 32 for 7 of 15 models",
           "exactly the standard and layernorm models", "the compute-intensive ones only",
           "1.95x on average"),
     smaller_half_gain},
    {JL_FINDING_PRECISION,
     PARTS("On " B
           ", pytorch-cuda/fp16 is faster than pytorch-cuda/fp32 at batch 1 for 3 of 15 models",
           "exactly the layernorm models: by 4 to 5 %"),
     no_attention_gain},
    {JL_FINDING_FAILURE,
     PARTS("vit_b_16 and swin_t in ort-cuda/fp16 are refused by the runtime on both devices",
           "Type Error"),
     attention_accepted},
    {JL_FINDING_DEVICE,
     PARTS(A " is faster than " B " in pytorch-cuda/fp32 at batch 1 for 12 of 15 models",
           "throughput ratios 1.59 to 1.84"),
     faster_b},
    {JL_FINDING_INT8,
     PARTS("INT8 (ort-cpu/int8) saves 54 to 98 % energy", "lightweight models",
           "98 to 100 % top-1 agreement"),
     less_agreement},
    {JL_FINDING_INT8, PARTS("INT8 (ort-cpu/int8) saves 54 to 98 % energy"), more_saving},
    {JL_FINDING_ROOFLINE,
     PARTS("On " B " in pytorch-cuda/fp32 at batch 32", "the memory roof binds 8 of 15 models",
           "every lightweight model", "all at or below 34.9 FLOP/byte"),
     denser_work},
    {JL_FINDING_PARADOX,
     PARTS("On " B " in pytorch-cuda/fp32 at batch 32, ", "fewer FLOP with more energy",
           "fewer FLOP than the compute-bound resnet18", "more bytes moved"),
     cheaper_lightweight},
};
enum { STATEMENTS = sizeof statements / sizeof *statements };

static void every_published_statement_is_said(void **state)
{
    (void)state;
    ref_inputs in = ref_published();
    jl_findings f = find_in(&in);
    for (int i = 0; i < STATEMENTS; i++) {
        if (says(&f, statements[i].kind, statements[i].parts)) continue;
        for (size_t k = 0; k < f.count; k++)
            if (f.items[k].kind == statements[i].kind) print_message("%s\n", f.items[k].text);
        fail_msg("statement %d, \"%s\", is missing", i, statements[i].parts[0]);
    }
    jl_findings_free(&f);
}

static void a_changed_input_changes_its_sentence(void **state)
{
    (void)state;
    for (int i = 0; i < STATEMENTS; i++) {
        ref_inputs in = ref_published();
        statements[i].change(&in);
        jl_findings f = find_in(&in);
        if (says(&f, statements[i].kind, statements[i].parts))
            fail_msg("statement %d, \"%s\", ignores its input", i, statements[i].parts[0]);
        jl_findings_free(&f);
    }
}

static void assert_sound(const jl_findings *f)
{
    for (size_t i = 0; i < f->count; i++) {
        const jl_finding *k = &f->items[i];
        assert_non_null(k->text);
        assert_non_null(k->query);
        if (strstr(k->text, "nan") || strstr(k->text, "inf ")) fail_msg("%s", k->text);
        if (strncmp(k->query, "SELECT", 6) != 0) fail_msg("%s", k->query);
        assert_true(isfinite(k->p.value) && isfinite(k->ratio.value) && isfinite(k->effect.value) &&
                    isfinite(k->interval.low) && isfinite(k->interval.high));
        if (!k->p.why && k->kind != JL_FINDING_RUNTIME && k->kind != JL_FINDING_PRECISION &&
            k->kind != JL_FINDING_INT8 && k->kind != JL_FINDING_BATCH &&
            !strstr(k->text, "not shown") && !strstr(k->text, "no test is possible"))
            assert_true(k->p.value <= 0.05);
    }
}

static void nothing_is_said_without_evidence(void **state)
{
    (void)state;
    ref_inputs in = ref_published();
    ref_make(&study, &in);
    jl_rng rng = {10};
    for (size_t i = 0; i < study.t.cell_count * REF_ROUNDS;
         i++) { /* the same everywhere, but for noise */
        study.latency[i] = 1e6 * exp(0.05 * jl_rng_normal(&rng));
        study.energy[i] = exp(0.05 * jl_rng_normal(&rng));
    }
    for (size_t i = 0; i < study.t.cell_count; i++)
        study.cells[i].batch = 1 + (study.cells[i].batch > 1);
    for (size_t i = 0; i < study.t.cell_count; i++)
        study.cells[i].outcome = JL_OUTCOME_OK;
    jl_findings f;
    assert_int_equal(jl_find(&study.t, NULL, &f, NULL), 0);
    for (size_t i = 0; i < f.count; i++) {
        jl_finding_kind k = f.items[i].kind;
        if (k == JL_FINDING_PRECISION || k == JL_FINDING_RUNTIME || k == JL_FINDING_INT8 ||
            k == JL_FINDING_DEVICE || k == JL_FINDING_FAILURE)
            fail_msg("%s", f.items[i].text);
        if (k == JL_FINDING_HEADLINE && f.items[i].p.value > 0.05)
            assert_non_null(strstr(f.items[i].text, "the difference is not shown"));
    }
    assert_sound(&f);
    jl_findings_free(&f);
}

/* Three configurations, a the least in every one of six rounds: 2 of 64 signs are as extreme. */
static void the_headline_is_two_sided_against_each(void **state)
{
    (void)state;
    enum { CONFIGURATIONS = 3, ROUNDS = 6 };
    static const jl_study_model model = {.name = "m", .family = "standard"};
    static const jl_study_device device = {.name = "here", .gain_error = NAN};
    jl_study_configuration configurations[CONFIGURATIONS] = {
        {.name = "a", .runtime = "a", .provider = "cpu", .precision = "fp32"},
        {.name = "b", .runtime = "b", .provider = "cpu", .precision = "fp32"},
        {.name = "c", .runtime = "c", .provider = "cpu", .precision = "fp32"}};
    jl_study_cell cells[CONFIGURATIONS] = {{.batch = 1, .in_flight = 1},
                                           {.configuration = 1, .batch = 1, .in_flight = 1},
                                           {.configuration = 2, .batch = 1, .in_flight = 1}};
    double v[CONFIGURATIONS][ROUNDS] = {
        {10, 11, 12, 13, 14, 15}, {11, 13, 15, 17, 19, 21}, {20, 22, 24, 26, 28, 30}};
    jl_study_table t = {.models = &model,
                        .model_count = 1,
                        .configurations = configurations,
                        .configuration_count = CONFIGURATIONS,
                        .devices = &device,
                        .device_count = 1,
                        .cells = cells,
                        .cell_count = CONFIGURATIONS,
                        .rounds = ROUNDS,
                        .values = {[JL_LATENCY] = v[0]}};
    jl_headline h;
    assert_int_equal(jl_find_headline(&t, 0, &h, NULL), 0);
    assert_int_equal(h.best, 0);
    assert_int_equal(h.next, 1);
    assert_float_equal(h.p.value, 2.0 / 64, 1e-12);
    v[2][0] = 9; /* c, far behind in the mean, wins a round: the claim is no better than that */
    assert_int_equal(jl_find_headline(&t, 0, &h, NULL), 0);
    assert_int_equal(h.next, 1);
    assert_float_equal(h.p.value, 4.0 / 64, 1e-12);
}

static void few_rounds_missing_values_and_no_energy_are_survived(void **state)
{
    (void)state;
    ref_inputs in = ref_published();
    ref_make(&study, &in);
    jl_rng rng = {4};
    for (size_t i = 0; i < study.t.cell_count * REF_ROUNDS; i++) {
        uint64_t fate = jl_rng_below(&rng, 10);
        if (fate == 0) study.latency[i] = NAN;
        if (fate == 1) study.energy[i] = -1e-3; /* a net below idle */
        if (fate == 2) study.latency[i] = INFINITY;
        if (fate == 3) study.energy[i] = 0;
    }
    study.cells[5].flop = NAN;
    study.cells[6].bytes = 0;
    study.devices[0].gain_error = NAN;
    jl_findings f;
    assert_int_equal(jl_find(&study.t, NULL, &f, NULL), 0);
    assert_sound(&f);
    jl_findings_free(&f);
    ref_make(&study, &in);
    bool complete[REF_ROUNDS] = {true};
    study.t.pairs = complete; /* one complete round */
    assert_int_equal(jl_find(&study.t, NULL, &f, NULL), 0);
    for (size_t i = 0; i < f.count; i++)
        assert_true(f.items[i].kind == JL_FINDING_DEVICE || f.items[i].kind == JL_FINDING_FAILURE ||
                    f.items[i].kind == JL_FINDING_ROOFLINE ||
                    f.items[i].kind == JL_FINDING_ENERGY ||
                    (f.items[i].kind == JL_FINDING_HEADLINE &&
                     strstr(f.items[i].text, "no test is possible below 6 rounds")));
    assert_sound(&f);
    jl_findings_free(&f);
    study.t.values[JL_ENERGY] = NULL;
    study.t.cell_count = 0;
    assert_int_equal(jl_find(&study.t, NULL, &f, NULL), 0);
    assert_int_equal(f.count, 0);
    jl_findings_free(&f);
}

static void what_was_not_equal_is_cautioned(void **state)
{
    (void)state;
    static const jl_study_fact pytorch[] = {{"tf32", "off", NULL},
                                            {"threads", "1", NULL},
                                            {"version", "2.11.0", NULL}},
                               ort[] = {{"tf32", "on", NULL},
                                        {"threads", "1", NULL},
                                        {"layout", "NHWC", NULL},
                                        {"version", "1.31.1", NULL},
                                        {"nodes_elsewhere", "0", NULL}};
    ref_inputs in = ref_published();
    ref_make(&study, &in);
    for (size_t i = 0; i < study.t.cell_count; i++) {
        bool is_ort = study.cells[i].configuration == ORT32;
        study.cells[i].facts = is_ort ? ort : pytorch;
        study.cells[i].fact_count = is_ort ? 5 : 3;
    }
    jl_findings f;
    assert_int_equal(jl_find(&study.t, NULL, &f, NULL), 0);
    bool seen = false;
    for (size_t i = 0; i < f.count; i++)
        if (f.items[i].kind == JL_FINDING_RUNTIME &&
            strstr(f.items[i].text, "ort-cuda/fp32 is faster than pytorch-cuda/fp32")) {
            assert_string_equal(
                f.items[i].caution,
                "Not held equal: tf32 (on against off), layout (NHWC against unknown)");
            seen = true;
        }
    assert_true(seen);
    jl_findings_free(&f);
}

static void hosts_are_held_against_each_other_where_devices_differ(void **state)
{
    (void)state;
    static const jl_study_fact one[] = {{"governor", "performance", NULL}},
                               two[] = {{"governor", NULL, "a virtual machine"}};
    static const jl_study_fact link[] = {{"pcie", "gen 4 x16", NULL}},
                               slower[] = {{"pcie", "gen 3 x16", NULL}};
    jl_study_device devices[] = {{.name = "A", .facts = one, .fact_count = 1},
                                 {.name = "B", .facts = two, .fact_count = 1}};
    jl_study_configuration ort = {.name = "ort-cuda/fp32", .runtime = "ort"};
    jl_study_cell a = {.facts = link, .fact_count = 1}, b = a;
    jl_study_table t = {.devices = devices, .device_count = 2, .configurations = &ort};
    jl_audit same = jl_audit_begin(&t, &a, &t, &b);
    const char *name, *x, *y;
    assert_false(jl_audit_next(&same, &name, &x, &y));
    b.device = 1;
    b.facts = slower;
    jl_audit audit = jl_audit_begin(&t, &a, &t, &b);
    assert_true(jl_audit_next(&audit, &name, &x, &y));
    assert_string_equal(name, "pcie");
    assert_string_equal(y, "gen 3 x16");
    assert_true(jl_audit_next(&audit, &name, &x, &y));
    assert_string_equal(name, "governor");
    assert_string_equal(x, "performance");
    assert_null(y);
    assert_false(jl_audit_next(&audit, &name, &x, &y));
}

static void the_brief_selection_has_the_strongest_of_every_kind(void **state)
{
    (void)state;
    ref_inputs in = ref_published();
    ref_make(&study, &in);
    jl_findings f;
    bool chosen[512];
    assert_int_equal(jl_find(&study.t, NULL, &f, NULL), 0);
    assert_in_range(f.count, 30, 512);
    assert_int_equal(jl_findings_brief(&f, 12, chosen), 12);
    size_t of_kind[JL_FINDING_KINDS] = {0}, kinds = 0;
    for (size_t i = 0; i < f.count; i++) {
        of_kind[f.items[i].kind] += chosen[i];
        for (size_t k = 0; k < i && chosen[i]; k++)
            if (chosen[k] && f.items[k].kind == f.items[i].kind)
                assert_int_not_equal(f.items[k].subject, f.items[i].subject);
    }
    for (int k = 0; k < JL_FINDING_KINDS; k++) {
        assert_true(of_kind[k] <= 3);
        kinds += of_kind[k] > 0;
    }
    assert_true(kinds >= 7);
    assert_int_equal(of_kind[JL_FINDING_HEADLINE] + of_kind[JL_FINDING_FAILURE], 0);
    /* The largest of all precision effects is there. */
    size_t best = 0;
    double most = 0;
    for (size_t i = 0; i < f.count; i++)
        if (f.items[i].kind == JL_FINDING_PRECISION && f.items[i].metric == JL_ENERGY &&
            fabs(log(f.items[i].ratio.value)) > most) {
            most = fabs(log(f.items[i].ratio.value));
            best = i;
        }
    assert_true(chosen[best]);
    assert_int_equal(jl_findings_brief(&f, 0, chosen), 0);
    jl_findings_free(&f);
}

static void simulation_and_models_are_labelled(void **state)
{
    (void)state;
    ref_inputs in = ref_published();
    ref_make(&study, &in);
    study.devices[0].simulated = true;
    study.t.modelled_energy = true;
    study.devices[1].uuid = "GPU-'1";
    jl_findings f;
    assert_int_equal(jl_find(&study.t, NULL, &f, NULL), 0);
    assert_non_null(strstr(f.items[0].text, A " (simulated)"));
    assert_non_null(strstr(f.items[0].text, "simulated)."));
    assert_non_null(strstr(f.items[1].text, "modelled)."));
    assert_non_null(strstr(f.items[1].query, "device_uid = 'GPU-''1'"));
    for (size_t i = 0; i < f.count; i++)
        if (f.items[i].metric == JL_ENERGY && f.items[i].kind == JL_FINDING_RUNTIME)
            assert_non_null(strstr(f.items[i].text, "modelled energy"));
    jl_findings_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_published_statement_is_said),
        cmocka_unit_test(a_changed_input_changes_its_sentence),
        cmocka_unit_test(nothing_is_said_without_evidence),
        cmocka_unit_test(the_headline_is_two_sided_against_each),
        cmocka_unit_test(few_rounds_missing_values_and_no_energy_are_survived),
        cmocka_unit_test(what_was_not_equal_is_cautioned),
        cmocka_unit_test(hosts_are_held_against_each_other_where_devices_differ),
        cmocka_unit_test(the_brief_selection_has_the_strongest_of_every_kind),
        cmocka_unit_test(simulation_and_models_are_labelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

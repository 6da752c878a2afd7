/* gannet doctor: what this machine can do, what the program was built with, and what is missing.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/pool.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"

#define MAX_ADVICE       12
#define LOW_DISK_BYTES   UINT64_C(1000000000)
#define LOW_MEMORY_BYTES UINT64_C(1000000000)

/* Library versions as found when the program was built: "name version;name version". */
#ifndef GN_LIBRARIES
#define GN_LIBRARIES ""
#endif

typedef struct machine {
    struct utsname os;
    int cores;
    uint64_t memory_bytes, memory_free_bytes; /* 0: unknown */
    uint64_t disk_free_bytes;                 /* in the current folder */
    char folder[1024];
    char governor[64]; /* of CPU 0; "" unknown */
    char data[1024];   /* $GANNET_DATA or its default; "" when there is no such folder */
    bool is_folder_writable;
    const char *advice[MAX_ADVICE];
    int n_advice;
} machine;

static bool read_first_line(const char *path, char *line, size_t bytes)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    const bool got = fgets(line, (int)bytes, file) != NULL;
    fclose(file);
    if (got)
        line[strcspn(line, "\n")] = '\0';
    return got;
}

/* "MemAvailable:   123 kB" in /proc/meminfo. */
static void read_memory(machine *m)
{
    FILE *file = fopen("/proc/meminfo", "re");
    if (!file)
        return;
    char line[256];
    uint64_t kib;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "MemTotal: %" SCNu64, &kib) == 1)
            m->memory_bytes = kib * 1024;
        else if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
            m->memory_free_bytes = kib * 1024;
    }
    fclose(file);
    char limit[64];
    int64_t bytes;
    if (read_first_line("/sys/fs/cgroup/memory.max", limit, sizeof limit) && gn_parse_i64(limit, &bytes) && bytes > 0 &&
        (uint64_t)bytes < m->memory_bytes) {
        m->memory_bytes = (uint64_t)bytes;
        if (m->memory_free_bytes > m->memory_bytes)
            m->memory_free_bytes = m->memory_bytes;
    }
}

static void advise(machine *m, bool is_needed, const char *text)
{
    if (is_needed && m->n_advice < MAX_ADVICE)
        m->advice[m->n_advice++] = text;
}

static void collect_advice(machine *m)
{
    const char *forced = getenv("GANNET_CPU");
    gn_cpu_level level;
    advise(m, forced && *forced && (!gn_cpu_level_parse(forced, &level) || level != gn_cpu_current()),
           "GANNET_CPU names a level that this CPU lacks and is ignored; use ref, avx2, avx512 or neon");
    advise(m, gn_cpu_current() == GN_CPU_REF, "only the plain kernels run here: training and inference will be slow");
    advise(m, gn_cpu_current() < gn_cpu_detected() && gn_cpu_current() != GN_CPU_REF,
           "GANNET_CPU holds the kernels below what this CPU can do");
    advise(m, m->cores < 2, "one core only: pictures are decoded on the core that trains");
    advise(m, m->memory_free_bytes && m->memory_free_bytes < LOW_MEMORY_BYTES,
           "less than 1 GB of memory is free; use a smaller --batch or --imgsz");
    advise(m, m->disk_free_bytes < LOW_DISK_BYTES, "less than 1 GB of disk is free here; checkpoints need room");
    advise(m, !m->is_folder_writable, "the current folder is not writable; name another with --project");
    advise(m, m->governor[0] && strcmp(m->governor, "performance") != 0,
           "the CPU governor is not \"performance\"; latencies will vary");
}

static void examine(machine *m)
{
    memset(m, 0, sizeof *m);
    uname(&m->os);
    m->cores = gn_cpu_count();
    read_memory(m);
    if (!getcwd(m->folder, sizeof m->folder))
        snprintf(m->folder, sizeof m->folder, ".");
    struct statvfs disk;
    if (statvfs(".", &disk) == 0)
        m->disk_free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    m->is_folder_writable = access(".", W_OK) == 0;
    if (!read_first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", m->governor, sizeof m->governor))
        m->governor[0] = '\0';
    const char *data = getenv("GANNET_DATA");
    data = data && *data ? data : "../shared/data";
    if (gn_path_is_dir(data))
        snprintf(m->data, sizeof m->data, "%s", data);
    collect_advice(m);
}

/* Calls for each "name version" of GN_LIBRARIES. */
static bool next_library(const char **rest, char *name, char *version, size_t bytes)
{
    if (!**rest)
        return false;
    const size_t n = strcspn(*rest, ";");
    const size_t blank = strcspn(*rest, " ;");
    snprintf(name, bytes, "%.*s", (int)blank, *rest);
    snprintf(version, bytes, "%.*s", blank < n ? (int)(n - blank - 1) : 0, blank < n ? *rest + blank + 1 : "");
    *rest += n + ((*rest)[n] == ';');
    return true;
}

static gn_status print_json(const machine *m)
{
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "version", GN_VERSION);
    gn_jsonw_str(&j, "system", m->os.sysname);
    gn_jsonw_str(&j, "release", m->os.release);
    gn_jsonw_str(&j, "architecture", m->os.machine);
    gn_jsonw_str(&j, "cpu", gn_cpu_name());
    gn_jsonw_str(&j, "cpu_level", gn_cpu_level_name(gn_cpu_current()));
    gn_jsonw_str(&j, "cpu_level_detected", gn_cpu_level_name(gn_cpu_detected()));
    gn_jsonw_int(&j, "cores", m->cores);
    gn_jsonw_str(&j, "governor", m->governor[0] ? m->governor : NULL);
    gn_jsonw_int(&j, "memory_bytes", (int64_t)m->memory_bytes);
    gn_jsonw_int(&j, "memory_free_bytes", (int64_t)m->memory_free_bytes);
    gn_jsonw_str(&j, "folder", m->folder);
    gn_jsonw_int(&j, "disk_free_bytes", (int64_t)m->disk_free_bytes);
    gn_jsonw_bool(&j, "folder_writable", m->is_folder_writable);
    gn_jsonw_str(&j, "data", m->data[0] ? m->data : NULL);
    gn_jsonw_object(&j, "libraries");
    const char *rest = GN_LIBRARIES;
    char name[64], version[64];
    while (next_library(&rest, name, version, sizeof name))
        gn_jsonw_str(&j, name, version);
    gn_jsonw_end(&j);
    gn_jsonw_array(&j, "advice");
    for (int i = 0; i < m->n_advice; i++)
        gn_jsonw_str(&j, NULL, m->advice[i]);
    return gn_jsonw_print(&j);
}

static void print_text(const machine *m)
{
    char total[32], available[32], disk[32], name[64], version[64];
    gn_format_bytes(m->memory_bytes, total);
    gn_format_bytes(m->memory_free_bytes, available);
    gn_format_bytes(m->disk_free_bytes, disk);
    gn_cli_print("gannet     %s\n", GN_VERSION);
    gn_cli_print("system     %s %s, %s\n", m->os.sysname, m->os.release, m->os.machine);
    gn_cli_print("cpu        %s, %d core%s for this process\n", gn_cpu_name(), m->cores, m->cores == 1 ? "" : "s");
    gn_cli_print("kernels    %s (this CPU has %s)\n", gn_cpu_level_name(gn_cpu_current()),
                 gn_cpu_level_name(gn_cpu_detected()));
    if (m->governor[0])
        gn_cli_print("governor   %s\n", m->governor);
    gn_cli_print("memory     %s, %s free\n", total, available);
    gn_cli_print("disk       %s free in %s\n", disk, m->folder);
    gn_cli_print("data       %s\n", m->data[0] ? m->data : "GANNET_DATA is not set (only tests and docs need it)");
    gn_cli_print("libraries ");
    const char *rest = GN_LIBRARIES;
    while (next_library(&rest, name, version, sizeof name))
        gn_cli_print(" %s %s%s", name, version, *rest ? "," : "");
    gn_cli_print("\n");
    for (int i = 0; i < m->n_advice; i++)
        gn_cli_print("advice     %s\n", m->advice[i]);
}

static const gn_opt options[] = {GN_OPT_ROW_JSON};

static const gn_args_spec spec = {
    .verb = "doctor",
    .usage = "[--json]",
    .about =
        "Tells what this machine can do: CPU and kernels, memory, disk, the libraries that the program was built with; "
        "and advises where something is missing.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
};

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    machine m;
    examine(&m);
    if (!gn_args_flag(args, "json")) {
        print_text(&m);
    } else if (print_json(&m) != GN_OK) {
        gn_error err;
        gn_error_clear(&err);
        gn_fail(&err, GN_EIO, "cannot write to standard output");
        code = gn_cli_fail(args, &err);
    }
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_doctor = {"doctor", "tells what this machine can do and what is missing", "This machine", run};

/* Reading /proc. See proc.h for what the numbers mean. */
#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 320 };

/* A thread that ends between listing and reading is not an error: -ENOENT. */
static int read_cpu_ns(const char *task_path, uint64_t *cpu_ns)
{
	char path[PATH_BYTES + 16];
	FILE *file;
	int matched;

	snprintf(path, sizeof(path), "%s/schedstat", task_path);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	matched = fscanf(file, "%" SCNu64, cpu_ns);
	fclose(file);
	return matched == 1 ? 0 : -ENOENT;
}

static void read_field(const char *line, const char *name, uint64_t *value)
{
	const size_t len = strlen(name);

	if (strncmp(line, name, len) == 0)
		*value = strtoull(line + len, NULL, 10);
}

static int read_status(const char *task_path, struct proc_usage *usage)
{
	char path[PATH_BYTES + 16], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/status", task_path);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		read_field(line, "VmRSS:", &usage->rss_kib);
		read_field(line, "voluntary_ctxt_switches:",
			   &usage->voluntary_switches);
		read_field(line, "nonvoluntary_ctxt_switches:",
			   &usage->involuntary_switches);
	}
	fclose(file);
	return 0;
}

static int read_task(const char *task_path, struct proc_usage *total)
{
	struct proc_usage task = { 0 };
	int err = read_cpu_ns(task_path, &task.cpu_ns);

	if (!err)
		err = read_status(task_path, &task);
	if (err)
		return err;
	total->cpu_ns += task.cpu_ns;
	total->voluntary_switches += task.voluntary_switches;
	total->involuntary_switches += task.involuntary_switches;
	total->rss_kib = task.rss_kib;	/* the same for every thread */
	return 0;
}

int proc_read_usage(pid_t pid, struct proc_usage *usage)
{
	struct proc_usage total = { 0 };
	struct dirent *entry;
	char path[PATH_BYTES];
	int err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s", (int)pid,
			 entry->d_name);
		err = read_task(path, &total);
		if (err == -ENOENT)
			err = 0;
	}
	closedir(dir);
	if (!err)
		*usage = total;
	return err;
}

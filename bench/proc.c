/* Reading /proc. See proc.h for what the numbers mean. */
#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "now.h"

enum {
	PATH_BYTES = 320,
	FAMILY_MAX = 64,
	STAT_BYTES = 1024,
};

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
	struct proc_usage total = { .processes = 1 };
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

/* The parent of @pid, or 0. */
static pid_t parent_of(const char *pid)
{
	char path[PATH_BYTES], text[STAT_BYTES] = "";
	const char *end;
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	/* The second field is the program's name and may contain anything. */
	end = strrchr(text, ')');
	return end && sscanf(end, ") %*c %d", &parent) == 1 ? parent : 0;
}

static bool is_in(const pid_t *family, int count, pid_t pid)
{
	for (int i = 0; i < count; i++)
		if (family[i] == pid)
			return true;
	return false;
}

/* Add children of those in @family. Returns how many there are then. */
static int add_children(pid_t family[FAMILY_MAX], int count)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && count < FAMILY_MAX && (entry = readdir(dir)) != NULL) {
		const pid_t pid = (pid_t)atoi(entry->d_name);

		if (pid > 0 && !is_in(family, count, pid) &&
		    is_in(family, count, parent_of(entry->d_name)))
			family[count++] = pid;
	}
	if (dir)
		closedir(dir);
	return count;
}

/* Left out if it may not be looked at. */
static uint64_t read_pss_kib(pid_t pid)
{
	char path[PATH_BYTES], line[256];
	uint64_t kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		read_field(line, "Pss:", &kib);
	if (file)
		fclose(file);
	return kib;
}

static void add_usage(struct proc_usage *total, const struct proc_usage *one)
{
	total->cpu_ns += one->cpu_ns;
	total->voluntary_switches += one->voluntary_switches;
	total->involuntary_switches += one->involuntary_switches;
	total->rss_kib += one->rss_kib;
	total->processes += one->processes;
}

int proc_read_family(pid_t pid, struct proc_usage *usage)
{
	pid_t family[FAMILY_MAX] = { pid };
	struct proc_usage total, one;
	int before, count = 1;
	int err = proc_read_usage(pid, &total);

	if (err)
		return err;
	do {
		before = count;
		count = add_children(family, count);
	} while (count > before);
	for (int i = 1; i < count; i++)
		if (proc_read_usage(family[i], &one) == 0)
			add_usage(&total, &one);
	total.pss_kib = 0;
	for (int i = 0; i < count; i++) {
		const uint64_t kib = read_pss_kib(family[i]);

		total.pss_kib += kib;
		if (!kib) {
			total.pss_kib = 0;
			break;
		}
	}
	*usage = total;
	return 0;
}

static uint64_t difference(uint64_t after, uint64_t before)
{
	return after > before ? after - before : 0;
}

void proc_subtract(struct proc_usage *after, const struct proc_usage *before)
{
	after->cpu_ns = difference(after->cpu_ns, before->cpu_ns);
	after->voluntary_switches = difference(after->voluntary_switches,
					       before->voluntary_switches);
	after->involuntary_switches = difference(after->involuntary_switches,
						 before->involuntary_switches);
}

int proc_read_machine(uint64_t *cpu_ns)
{
	uint64_t user, nice, sys, idle, wait, irq, softirq;
	const uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK);
	FILE *file = fopen("/proc/stat", "re");
	int matched;

	if (!file)
		return -errno;
	matched = fscanf(file, "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
			 " %" SCNu64 " %" SCNu64 " %" SCNu64, &user, &nice, &sys,
			 &idle, &wait, &irq, &softirq);
	fclose(file);
	if (matched != 7)
		return -EINVAL;
	*cpu_ns = (user + nice + sys + irq + softirq) * (NS_PER_S / ticks);
	return 0;
}

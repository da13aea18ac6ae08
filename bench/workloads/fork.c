/* SPDX-License-Identifier: MIT */
/*
 * fork.c - what a process that holds much private memory pays: for its forks, for the first
 * writes after them, for its page tables and for its end. "tight": the pool has no pages for
 * copies; "spare": it has one for each: fork BYTES tight|spare
 *
 *	fork_us		until fork() has returned in the parent
 *	exec_us		until a child that execs at once has ended (/bin/true)
 *	write_us	the parent's first write to 2 MiB it shares; longest_us the longest
 *	child_us	the child's first write, while the parent waits
 *	free_ms		from the fork until the parent has written to all of it
 *	copied_mib	memory that these writes took (other programs' is in it)
 *	small_parts	parts of 2 MiB that are small afterwards
 *	tables_kib	the page tables of the process; unmap_ms and exit_ms its ends
 */
// section: fork
// goals: G5 G8 G9
// cases: 64m,tight 64m,spare 256m,tight 256m,spare 1g,tight 1g,spare 4g,tight 4g,spare 8g,tight 8g,spare
// brief: 4g,tight 4g,spare
// quick: 256m,tight
// contenders: kernel glibc glibc-thp glibc-huge jemalloc-thp mimalloc-huge tcmalloc-memfs ours ours-thp ours-copy
// few: 4g,spare:glibc,glibc-thp,jemalloc-thp,kernel-thp,kernel-huge,ours 4g,tight:glibc,glibc-thp,kernel-thp,ours 8g,tight:glibc,glibc-thp,kernel-thp,ours 8g,spare:kernel-huge,ours
// pool: 64m,tight:40 64m,spare:72 256m,tight:140 256m,spare:272 1g,tight:530 1g,spare:1050 4g,tight:2120 4g,spare:4200 8g,tight:4240 8g,spare:8400
// memory: 64m,tight:200 64m,spare:200 256m,tight:600 256m,spare:600 1g,tight:1400 1g,spare:1400 4g,tight:4400 4g,spare:4400 8g,tight:8800 8g,spare:600
// pooled: kernel-huge
// show: fork_us
// timeout: 120
#include <sys/wait.h>
#include <unistd.h>

#include "bench/workloads/work.h"

static size_t bytes;

/* A line of a file in /proc, in KiB or pages as it is there. */
static double line_of(const char *path, const char *name)
{
	FILE *f = fopen(path, "re");
	unsigned long value = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0)
			sscanf(line + strlen(name), ": %lu", &value);
	if (f)
		fclose(f);
	return (double)value;
}

/* In MiB: anonymous memory, and huge pages in use. */
static double taken(void)
{
	return line_of("/proc/meminfo", "AnonPages") / 1024 +
	       (line_of("/proc/meminfo", "HugePages_Total") -
		line_of("/proc/meminfo", "HugePages_Free")) * 2;
}

static char *block(void)
{
	char *at = obtain(bytes);

	memset(at, 1, bytes);
	return at;
}

/* Parts that lie in mappings of small pages; what THP made huge counts as small. */
static size_t small_parts(const char *at)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long lo = 0, hi = 0, kb;
	size_t small = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		unsigned long from = (uintptr_t)at, end = from + bytes;

		if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2 ||
		    sscanf(line, "KernelPageSize: %lu", &kb) != 1 || kb != 4)
			continue;
		from = lo > from ? lo : from;
		end = hi < end ? hi : end;
		small += from < end ? (end - from) / HUGE : 0;
	}
	if (f)
		fclose(f);
	return small;
}

static void write_all(char *at, double *ret_mean, double *ret_longest)
{
	double begin = now_us(), last = begin;

	*ret_longest = 0;
	for (size_t i = 0; i < bytes; i += HUGE) {
		double t;

		at[i] = 2;
		t = now_us();
		*ret_longest = t - last > *ret_longest ? t - last : *ret_longest;
		last = t;
	}
	*ret_mean = (last - begin) / (double)(bytes / HUGE);
}

static void must_end_well(pid_t pid)
{
	int status = 1;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		printf("a child ended with %#x\n", (unsigned)status);
		fflush(stdout);
		_exit(1);
	}
}

static void parent_writes(char *at)
{
	double begin, mean, longest, before;
	int stop[2];
	pid_t pid;
	char c = 0;

	if (pipe(stop))
		_exit(1);
	before = taken();
	begin = now_us();
	pid = fork();
	if (pid == 0) {
		uint64_t sum = 0;

		if (read(stop[0], &c, 1) != 1)
			_exit(1);
		for (size_t i = 0; i < bytes; i += HUGE)
			sum += (uint64_t)at[i];
		_exit(sum != bytes / HUGE);
	}
	metric("fork_us", now_us() - begin);
	write_all(at, &mean, &longest);
	metric("free_ms", (now_us() - begin) / 1e3);
	metric("write_us", mean);
	metric("longest_us", longest);
	metric("copied_mib", taken() - before);
	metric("small_parts", (double)small_parts(at));
	if (write(stop[1], &c, 1) != 1)
		_exit(1);
	must_end_well(pid);
}

static void child_writes(char *at)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		double mean, longest;

		write_all(at, &mean, &longest);
		metric("child_us", mean);
		fflush(stdout);
		_exit(0);
	}
	must_end_well(pid);
	for (size_t i = 0; i < bytes; i += HUGE)
		CHECK(at[i] == 1);
}

static void forks(void)
{
	char *at = block();
	double begin = now_us();
	pid_t pid;

	metric("tables_kib", line_of("/proc/self/status", "VmPTE"));
	fflush(stdout);
	begin = now_us();
	pid = fork();
	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	must_end_well(pid);
	metric("exec_us", now_us() - begin);
	fflush(stdout);
	parent_writes(at);
	begin = now_us();
	give_back(at, bytes);
	metric("unmap_ms", (now_us() - begin) / 1e3);
	child_writes(block());
}

/* The end of a process that holds it, as its parent sees it. */
static void end(void)
{
	int go[2], full[2];
	double begin;
	char c = 0;
	pid_t pid;

	if (pipe(go) || pipe(full))
		_exit(1);
	pid = fork();
	if (pid == 0) {
		block();
		if (write(full[1], &c, 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(1);
		_exit(0);
	}
	if (read(full[0], &c, 1) != 1)
		_exit(1);
	begin = now_us();
	if (write(go[1], &c, 1) != 1)
		_exit(1);
	must_end_well(pid);
	metric("exit_ms", (now_us() - begin) / 1e3);
}

int main(int argc, char **argv)
{
	pid_t pid;

	bytes = number(argc, argv, 1, 256 * MIB);
	pid = fork();
	if (pid == 0) {
		forks();
		fflush(stdout);
		_exit(0);
	}
	must_end_well(pid);
	end();
	result(bytes);
	return 0;
}

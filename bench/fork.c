/* SPDX-License-Identifier: MIT */
/*
 * fork.c - what a fork of big private memory costs, at the fork and after
 *
 *	fork [MIB...]		default: 64 256 1024; root, as it sets the pool
 *
 * 8192 goes on a machine of 24 GiB; what it has no memory for it says and leaves out.
 *
 * For each size: small pages, transparent huge pages, the kernel's own huge pages,
 * and plain mmap() under libhresv.so with pages to spare, with none (copies of our
 * own), with none and HUGETLB_FORK=copy (copied for the child), and with none, no
 * userfaultfd and a second thread (made small before). Medians of several runs; every run is a process of its own. Columns:
 *
 *	fork	until fork() has returned in the parent, us
 *	exec	until a child that execs at once has ended (/bin/true), us
 *	write	the parent's first write to a 2 MiB part it shares, mean and longest, us
 *	child	the child's, while the parent waits, mean, us
 *	all	from the fork until the parent has written to all parts: it is free, ms
 *	copied	memory that these writes took, MiB (other programs' is in it)
 *	small	2 MiB parts that are small afterwards
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE ((size_t)2 << 20)
#define RUNS 5
#define RUNS_OF_MUCH 1	/* from 4 GiB on */

enum kind { SMALL, THP, NATIVE, OURS_SPARE, OURS_COW, OURS_COPY, OURS_BEFORE, KINDS };

static const char *const names[KINDS] = {
	[SMALL] = "small pages", [THP] = "THP", [NATIVE] = "native huge",
	[OURS_SPARE] = "ours, spare", [OURS_COW] = "ours, none to spare",
	[OURS_COPY] = "ours, copy", [OURS_BEFORE] = "ours, threads, no uffd",
};

struct result {
	double fork, exec, write, longest, child, all, copied;
	size_t small;
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* A line of /proc/meminfo, in KiB or pages as it is there. */
static double meminfo(const char *name)
{
	FILE *f = fopen("/proc/meminfo", "r");
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
	return meminfo("AnonPages") / 1024 +
	       (meminfo("HugePages_Total") - meminfo("HugePages_Free")) * 2;
}

static bool set_pool(size_t pages)
{
	char text[32];
	int fd = open("/proc/sys/vm/nr_hugepages", O_RDWR);
	int bytes = snprintf(text, sizeof(text), "%zu", pages);
	bool set = fd >= 0 && write(fd, text, (size_t)bytes) == bytes;

	if (set) {
		lseek(fd, 0, SEEK_SET);
		bytes = (int)read(fd, text, sizeof(text) - 1);
		text[bytes > 0 ? bytes : 0] = '\0';
		set = strtoul(text, NULL, 10) == pages;
	}
	if (fd >= 0)
		close(fd);
	return set;
}

static char *memory_of(enum kind kind, size_t bytes)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	char *at;

	if (kind == NATIVE)
		flags |= MAP_HUGETLB | MAP_NORESERVE;
	at = mmap(NULL, bytes + PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	at = (char *)(((uintptr_t)at + PAGE - 1) & ~(PAGE - 1));
	if (kind == SMALL || kind == THP)
		madvise(at, bytes, kind == THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	memset(at, 1, bytes);
	return at;
}

static size_t small_parts(const char *at, size_t bytes)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	size_t small = 0;
	char line[256];
	unsigned long lo, hi, kb;
	bool in = false;

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
			in = lo >= (uintptr_t)at && hi <= (uintptr_t)at + bytes;
		else if (in && sscanf(line, "KernelPageSize: %lu", &kb) == 1 && kb == 4)
			small += (hi - lo) / PAGE;
	}
	fclose(f);
	return small;
}

static void touch_all(char *at, size_t bytes, double *ret_mean, double *ret_longest)
{
	double begin = now_us(), last = begin;

	*ret_longest = 0;
	for (size_t i = 0; i < bytes; i += PAGE) {
		double t;

		at[i] = 2;
		t = now_us();
		if (t - last > *ret_longest)
			*ret_longest = t - last;
		last = t;
	}
	*ret_mean = (last - begin) / (double)(bytes / PAGE);
}

static void *sleep_on(void *arg)
{
	while (pause() < 0)
		;
	return arg;
}

/* In a process of its own; the result goes to @out. */
static void measure(enum kind kind, size_t bytes, int out)
{
	struct result r = { 0 };
	char *at = memory_of(kind, bytes);
	int stop[2], told[2];
	double begin, ignored, before;
	pthread_t thread;
	pid_t pid;
	char c = 0;

	if (!at || pipe(stop) || pipe(told))
		_exit(1);
	if (kind == OURS_BEFORE && pthread_create(&thread, NULL, sleep_on, NULL))
		_exit(1);
	begin = now_us();
	pid = fork();
	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
	r.exec = now_us() - begin;

	before = taken();
	begin = now_us();
	pid = fork();
	if (pid == 0) {
		if (read(stop[0], &c, 1) != 1)
			_exit(1);
		_exit(0);
	}
	r.fork = now_us() - begin;
	touch_all(at, bytes, &r.write, &r.longest);
	r.all = (now_us() - begin) / 1e3;
	r.copied = taken() - before;
	r.small = small_parts(at, bytes);
	if (write(stop[1], &c, 1) != 1)
		_exit(1);
	waitpid(pid, NULL, 0);

	at = (munmap(at, bytes), memory_of(kind, bytes));
	pid = at ? fork() : -1;
	if (pid == 0) {
		touch_all(at, bytes, &r.child, &ignored);
		_exit(write(told[1], &r.child, sizeof(r.child)) != sizeof(r.child));
	}
	if (pid < 0 || read(told[0], &r.child, sizeof(r.child)) != sizeof(r.child))
		_exit(1);
	waitpid(pid, NULL, 0);
	_exit(write(out, &r, sizeof(r)) != sizeof(r));
}

static bool run(const char *self, enum kind kind, size_t mib, struct result *ret)
{
	char kind_text[16], mib_text[32], fd_text[16], library[4096], filter[4096];
	const char *build = getenv("HRESV_BUILD");
	int out[2], status = 1;
	pid_t pid;

	if (pipe(out))
		return false;
	snprintf(kind_text, sizeof(kind_text), "%d", kind);
	snprintf(mib_text, sizeof(mib_text), "%zu", mib);
	snprintf(fd_text, sizeof(fd_text), "%d", out[1]);
	snprintf(library, sizeof(library), "%s/libhresv.so", build ? build : "build");
	pid = fork();
	if (pid == 0) {
		if (kind >= OURS_SPARE)
			setenv("LD_PRELOAD", library, 1);
		if (kind == OURS_COPY)
			setenv("HUGETLB_FORK", "copy", 1);
		snprintf(filter, sizeof(filter), "%s/tests/fork/prog-without-uffd",
			 build ? build : "build");
		if (kind == OURS_BEFORE)
			execl(filter, filter, self, "--measure", kind_text, mib_text, fd_text,
			      (char *)NULL);
		execl(self, self, "--measure", kind_text, mib_text, fd_text, (char *)NULL);
		_exit(1);
	}
	close(out[1]);
	waitpid(pid, &status, 0);
	status |= read(out[0], ret, sizeof(*ret)) != sizeof(*ret);
	close(out[0]);
	return status == 0;
}

static int by_fork(const void *a, const void *b)
{
	double x = ((const struct result *)a)->fork, y = ((const struct result *)b)->fork;

	return (x > y) - (x < y);
}

static size_t pool_for(enum kind kind, size_t mib)
{
	size_t pages = mib / 2;

	if (kind == NATIVE || kind == OURS_SPARE)
		return 2 * pages + 6;
	return kind >= OURS_COW ? pages + 1 : 0;
}

/* The memory, its copy where a run makes one, and some for the rest of the world. */
static bool has_memory_for(enum kind kind, size_t mib)
{
	const bool twice = kind == NATIVE || kind >= OURS_SPARE;

	return meminfo("MemAvailable") / 1024 > (double)(mib * (twice ? 2 : 1) + 1024);
}

int main(int argc, char **argv)
{
	static char *const few[] = { (char *)"64", (char *)"256", (char *)"1024" };
	char *const *sizes = argc > 1 ? argv + 1 : few;
	int n = argc > 1 ? argc - 1 : 3;

	if (argc == 5 && strcmp(argv[1], "--measure") == 0)
		measure((enum kind)atoi(argv[2]), strtoul(argv[3], NULL, 0) << 20, atoi(argv[4]));
	printf("%-6s %-23s %8s %8s %8s %8s %8s %8s %7s %6s\n", "MiB", "", "fork us", "exec us",
	       "write us", "longest", "child us", "all ms", "copied", "small");
	for (int s = 0; s < n; s++) {
		size_t mib = strtoul(sizes[s], NULL, 0);

		for (enum kind kind = SMALL; kind < KINDS; kind++) {
			const int tries = mib < 4096 ? RUNS : RUNS_OF_MUCH;
			struct result r[RUNS];
			int runs = 0;

			if (!has_memory_for(kind, mib)) {
				printf("%-6zu %-23s no memory for it\n", mib, names[kind]);
				continue;
			}

			if (!set_pool(pool_for(kind, mib))) {
				printf("%-6zu %-23s no such pool\n", mib, names[kind]);
				continue;
			}
			for (int i = 0; i < tries; i++)
				runs += run(argv[0], kind, mib, &r[runs]);
			if (!runs) {
				printf("%-6zu %-23s failed\n", mib, names[kind]);
				continue;
			}
			qsort(r, (size_t)runs, sizeof(r[0]), by_fork);

			const struct result *m = &r[runs / 2];

			printf("%-6zu %-23s %8.0f %8.0f %8.1f %8.0f %8.1f %8.1f %7.0f %6zu\n", mib,
			       names[kind], m->fork, m->exec, m->write, m->longest, m->child, m->all,
			       m->copied, m->small);
			set_pool(0);
		}
	}
	set_pool(0);
	return 0;
}

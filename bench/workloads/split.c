/* SPDX-License-Identifier: MIT */
/*
 * split.c - what it costs to split a huge page, beside copying it, and for how long a thread
 * that writes to it is held up; medians, in us, and what nine of ten stay within (_9of10)
 *
 * The writer stores without a pause on a processor of its own, ahead of other programs where
 * that is allowed; what counts is the longest time between two of its stores, for each
 * split. A thread that is held sleeps, and waking one on an idle processor takes its time
 * on a virtual machine: wake_us says how much.
 */
// section: calls
// cases: -
// contenders: ours-still
// base: ours-still
// pool: 24
// memory: 100
// show: protect_used_us
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/workloads/work.h"

#define ROUNDS 101

static char *map(size_t bytes)
{
	return must(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *what, double *took)
{
	char name[64];

	qsort(took, ROUNDS, sizeof(double), by_size);
	snprintf(name, sizeof(name), "%s_us", what);
	metric(name, took[ROUNDS / 2]);
	snprintf(name, sizeof(name), "%s_9of10_us", what);
	metric(name, took[ROUNDS * 9 / 10]);
}

static bool is_huge(char *at)
{
	unsigned long lo, hi;
	bool inside = false;
	char line[256];
	long kb = 0;
	FILE *smaps = fopen("/proc/self/smaps", "r");

	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
			inside = lo <= (unsigned long)at && (unsigned long)at < hi;
		if (inside && sscanf(line, "KernelPageSize: %ld", &kb) == 1)
			break;
	}
	if (smaps)
		fclose(smaps);
	return kb > 4;
}

/* What is done to one of two huge pages ------------------------------------------------ */

static void protect_middle(char *at) { mprotect(at + HUGE / 2, SMALL, PROT_READ); }
static void unmap_last(char *at) { munmap(at + HUGE - SMALL, SMALL); }

static double split_one(void (*split)(char *), bool in_use)
{
	char *at = map(2 * HUGE);
	double from, took;

	if (in_use)
		memset(at, 1, 2 * HUGE);
	from = now_us();
	split(at);
	took = now_us() - from;
	munmap(at, 2 * HUGE);
	return took;
}

static void splits(const char *what, void (*split)(char *), bool in_use)
{
	double took[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		took[i] = split_one(split, in_use);
	report(what, took);
}

/* Copying, as a program would ---------------------------------------------------------- */

static char *line_of(char *at)
{
	return at + (-(uintptr_t)at & (HUGE - 1));
}

static void copies(bool fresh)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	char *from = map(HUGE), *room, *to = NULL;
	double took[ROUNDS], since;

	for (int i = 0; i < ROUNDS; i++) {
		room = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, flags, -1, 0);
		to = line_of(room);
		madvise(to, HUGE, MADV_HUGEPAGE);
		if (!fresh)
			memset(to, 2, HUGE);
		memset(from, 1, HUGE);
		since = now_us();
		memcpy(to, from, HUGE);
		took[i] = now_us() - since;
		munmap(room, 2 * HUGE);
	}
	report(fresh ? "copy_fresh" : "copy_there", took);
	munmap(from, HUGE);
}

/* A writer ----------------------------------------------------------------------------- */

static _Atomic(char *) place;		/* where it stores; NULL: it waits */
static atomic_ulong stores;
static _Atomic double longest;
static atomic_bool over;

static void run_on(int processor, bool first)
{
	const struct sched_param least = { .sched_priority = 1 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	sched_setaffinity(0, sizeof(set), &set);
	if (first)
		sched_setscheduler(0, SCHED_FIFO, &least);
}

static void *write_on(void *processor)
{
	char *was = NULL;
	double last = 0;

	run_on((int)(intptr_t)processor, true);
	while (!over) {
		char *at = place;
		double now;

		if (!at) {
			was = NULL;
			usleep(20);
			continue;
		}
		*(volatile char *)at = (char)stores;
		now = now_us();
		if (at == was && now - last > longest)
			longest = now - last;
		was = at;
		last = now;
		stores++;
	}
	return NULL;
}

static void await_stores(unsigned long n)
{
	const unsigned long was = stores;

	while (stores - was < n)
		;
}

static double gap_of(void (*split)(char *))
{
	char *at = map(2 * HUGE);
	double gap;

	memset(at, 1, 2 * HUGE);
	place = at + HUGE / 4;
	await_stores(2000);
	longest = 0;
	split(at);
	await_stores(2000);
	gap = longest;
	place = NULL;
	munmap(at, 2 * HUGE);
	return gap;
}

static void gaps(const char *what, void (*split)(char *))
{
	double gap[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		gap[i] = gap_of(split);
	report(what, gap);
}

/* How long until a thread that sleeps runs again */

static atomic_uint word;
static _Atomic double woken;

static void *sleep_on(void *processor)
{
	run_on((int)(intptr_t)processor, true);
	for (unsigned seen = 0; !over; seen = word) {
		woken = now_us();
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
	}
	return NULL;
}

static void wakings(void)
{
	double took[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		double from;

		usleep(300);
		from = now_us();
		word++;
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		while (woken < from)
			;
		took[i] = woken - from;
	}
	report("wake", took);
}

static void with_thread(void *(*run)(void *), void (*measure)(void))
{
	pthread_t thread;

	over = false;
	if (pthread_create(&thread, NULL, run, (void *)1) != 0)
		return;
	measure();
	over = true;
	word++;
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	pthread_join(thread, NULL);
}

static void all_gaps(void)
{
	gaps("wait_protect", protect_middle);
	gaps("wait_unmap", unmap_last);
}

int main(void)
{
	char *at = map(2 * HUGE);
	const bool huge = is_huge(at);

	munmap(at, 2 * HUGE);
	if (!huge) {
		puts("no huge pages");
		return 77;
	}
	copies(false);
	copies(true);
	splits("protect_used", protect_middle, true);
	splits("unmap_used", unmap_last, true);
	splits("unmap_new", unmap_last, false);
	if (sysconf(_SC_NPROCESSORS_ONLN) >= 2) {
		run_on(0, false);
		with_thread(write_on, all_gaps);
		with_thread(sleep_on, wakings);
	}
	result(ROUNDS);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* touch.c - the first touch of one large block, by some threads: touch BYTES THREADS */
// section: memory
// goals: G3
// cases: 256m,1 4g,1 4g,2
// brief: 4g,1
// few: glibc glibc-thp glibc-huge jemalloc-thp mimalloc-huge tcmalloc-memfs ours kernel
// quick: 256m,1
// contenders: malloc kernel
// show: touch_gib_per_s
// pool: 256m,1:140 4g,1:2100 4g,2:2100
// memory: 256m,1:300 4g,1:4300 4g,2:4300
// pooled: kernel-huge kernel-populate ours
#include "bench/workloads/work.h"

static size_t bytes, threads;
static char *at;

static void *touch(void *arg)
{
	size_t part = bytes / threads;
	char *from = at + part * (uintptr_t)arg;

	for (size_t i = 0; i < part; i += SMALL)
		from[i] = 1;
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t sum = 0;
	double begin;

	bytes = number(argc, argv, 1, GIB);
	threads = number(argc, argv, 2, 1);
	begin = now_us();
	at = obtain(bytes);
	if (threads == 1)
		touch(NULL);
	else
		run_threads(touch, threads);
	metric("touch_gib_per_s", (double)bytes / GIB / ((now_us() - begin) / 1e6));
	for (size_t i = 0; i < bytes; i += SMALL)
		sum += (uint64_t)at[i];
	begin = now_us();
	give_back(at, bytes);
	metric("give_back_ms", (now_us() - begin) / 1e3);
	result(sum);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * scale-attach.c - so many processes attached to one System V segment of 1 GiB, all of it read by each:
 * page tables a process, and how long an attachment takes. kernel-huge asks with SHM_HUGETLB,
 * and takes whatever address the kernel chooses. Small pages cost each process the same, and a
 * hundred of them half a minute, so the briefer bench has them for a few alone: scale-attach PROCESSES
 */
// section: scale
// cases: 1 10 100 500
// few: kernel-small kernel-huge ours 100:kernel-huge,ours 500:kernel-huge,ours
// contenders: kernel-small kernel-huge ours
// base: kernel-small
// pool: 530
// memory: 3600
// show: tables_kib
// plot: tables_kib processes
// timeout: 120
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/workloads/work.h"

struct board {
	double attach_us, tables_kib;
	char ended_well;
};

static double tables_kib(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long kib = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "PageTables: %lu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return (double)kib;
}

static void attach(int id, size_t bytes, struct board *own, int ready, int stop)
{
	double begin = now_us();
	char *at = must(shmat(id, NULL, 0)), c = 0;
	uint64_t sum = 0;

	own->attach_us = now_us() - begin;
	for (size_t i = 0; i < bytes; i += SMALL)
		sum += (uint64_t)at[i];
	own->ended_well = sum == bytes / SMALL;
	if (write(ready, &c, 1) == 1 && read(stop, &c, 1) == 0)
		_exit(0);
	_exit(1);
}

int main(int argc, char **argv)
{
	const size_t bytes = GIB, processes = number(argc, argv, 1, 10);
	const char *kind = getenv("BENCH_MEMORY");
	const int huge = kind && strcmp(kind, "huge") == 0 ? SHM_HUGETLB : 0;
	int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600 | huge), ready[2], stop[2];
	struct board *board = must(mmap(NULL, processes * sizeof(*board), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	double before, sum = 0, well = 0;
	char *at, c;

	if (id < 0 || pipe(ready) || pipe(stop))
		must(NULL);
	at = must(shmat(id, NULL, 0));
	shmctl(id, IPC_RMID, NULL);
	for (size_t i = 0; i < bytes; i += SMALL)
		at[i] = 1;
	before = tables_kib();
	for (size_t i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			shmdt(at);
			close(stop[1]);
			attach(id, bytes, &board[i], ready[1], stop[0]);
		}
		if (pid < 0 || read(ready[0], &c, 1) != 1)
			must(NULL);
	}
	metric("tables_kib", (tables_kib() - before) / (double)processes);
	close(stop[1]);
	while (wait(NULL) > 0)
		;
	for (size_t i = 0; i < processes; i++) {
		sum += board[i].attach_us;
		well += board[i].ended_well;
	}
	metric("attach_us", sum / (double)processes);
	CHECK(well == (double)processes);
	result(processes);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * prog-endure.c - prog-endure SECONDS SEED: a server's days, and what it holds after each
 *
 * A day: threads that come and go allocate, write, look and free; mappings are made, cut,
 * grown and dropped; a child takes a snapshot of what the server keeps while that is
 * written. In the evening only what it always keeps is left, and a line says what the
 * kernel holds for it: kB of memory, small and huge, mappings, descriptors. Exit 1: content
 * was wrong, or what may not fail failed.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define KEPT (10 * MIB)
#define THREADS 2
#define BLOCKS 64
#define STEPS 120

static unsigned long allocations, forks;
static char *kept;

struct worker {
	pthread_t thread;
	uint64_t draw;
	unsigned long allocations;
};

static _Noreturn void wrong(const char *what)
{
	fprintf(stderr, "prog-endure: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static unsigned draw(uint64_t *state, unsigned below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (unsigned)(*state >> 20) % below;
}

static void fill(char *at, size_t bytes, unsigned with)
{
	for (size_t i = 0; i + sizeof(with) <= bytes; i += 4096)
		*(unsigned *)(at + i) = with + (unsigned)i;
}

static void hold(const char *at, size_t bytes, unsigned with, const char *what)
{
	errno = 0;
	for (size_t i = 0; i + sizeof(with) <= bytes; i += 4096)
		if (*(const unsigned *)(at + i) != with + (unsigned)i)
			wrong(what);
}

/* Mostly small, now and then a buffer of up to four mebibytes. */
static size_t draw_size(uint64_t *state)
{
	switch (draw(state, 20)) {
	case 0:
		return 1 + draw(state, 4 * MIB);
	case 1:
	case 2:
		return 1 + draw(state, 100000);
	default:
		return 4 + draw(state, 2000);
	}
}

static void use_mapping(uint64_t *state)
{
	const size_t bytes = (1 + draw(state, 4)) * 2 * MIB + draw(state, 3) * 4096;
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t cut = (1 + draw(state, 400)) * 4096, now = bytes - cut;

	if (at == MAP_FAILED)
		wrong("mmap");
	fill(at, bytes, (unsigned)bytes);
	if (munmap(at + now, cut) != 0)
		wrong("munmap of the end");
	if (draw(state, 2)) {
		at = mremap(at, now, now + MIB, MREMAP_MAYMOVE);
		if (at == MAP_FAILED)
			wrong("mremap");
		hold(at, now, (unsigned)bytes, "what was moved");
		now += MIB;
	} else {
		hold(at, now, (unsigned)bytes, "what was cut");
	}
	if (munmap(at, now) != 0)
		wrong("munmap");
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct { char *at; size_t bytes; unsigned with; } block[BLOCKS] = { 0 };

	for (int i = 0; i < STEPS; i++) {
		unsigned n = draw(&w->draw, BLOCKS);

		if (block[n].at)
			hold(block[n].at, block[n].bytes, block[n].with, "a block");
		free(block[n].at);
		block[n].bytes = draw_size(&w->draw);
		block[n].with = draw(&w->draw, 1000);
		block[n].at = malloc(block[n].bytes);
		if (!block[n].at)
			wrong("malloc");
		fill(block[n].at, block[n].bytes, block[n].with);
		w->allocations++;
		if (i % 50 == 49)
			use_mapping(&w->draw);
	}
	for (int i = 0; i < BLOCKS; i++) {
		if (block[i].at)
			hold(block[i].at, block[i].bytes, block[i].with, "a block at the end");
		free(block[i].at);
	}
	return NULL;
}

static void snapshot(unsigned day)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		wrong("fork");
	if (pid == 0) {
		hold(kept, KEPT, day, "the child's snapshot");
		fill(kept, MIB, 0);
		_exit(0);
	}
	fill(kept, KEPT / 2, day + 1);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		wrong("the child");
	hold(kept + KEPT / 2, KEPT / 2, day + (unsigned)(KEPT / 2), "what the parent keeps");
	fill(kept, KEPT, day + 1);
	forks++;
}

static unsigned long kb_of_rollup(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	unsigned long kb = 0, n;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Rss: %lu", &n) == 1 || sscanf(line, "Private_Hugetlb: %lu", &n) == 1 ||
		    sscanf(line, "Shared_Hugetlb: %lu", &n) == 1)
			kb += n;
	if (f)
		fclose(f);
	return kb;
}

static unsigned long count_lines(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long n = 0;

	for (int c; f && (c = getc(f)) != EOF;)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

static unsigned long count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned long n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

int main(int argc, char **argv)
{
	const time_t end = time(NULL) + (argc > 1 ? strtol(argv[1], NULL, 0) : 10);
	uint64_t state = (argc > 2 ? strtoul(argv[2], NULL, 0) : 1) * 2654435761u + 88172645463325252u;

	setvbuf(stdout, NULL, _IOLBF, 0);
	kept = malloc(KEPT);
	if (!kept)
		wrong("malloc");
	fill(kept, KEPT, 0);
	for (unsigned day = 0; time(NULL) < end; day++) {
		struct worker w[THREADS] = { 0 };

		for (int i = 0; i < THREADS; i++) {
			w[i].draw = state + (uint64_t)day * 977 + (uint64_t)i * 31 + 1;
			if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
				wrong("pthread_create");
		}
		snapshot(day);
		for (int i = 0; i < THREADS; i++) {
			pthread_join(w[i].thread, NULL);
			allocations += w[i].allocations;
		}
		printf("day %u kb %lu mappings %lu descriptors %lu\n", day, kb_of_rollup(),
		       count_lines("/proc/self/maps"), count_descriptors());
	}
	printf("lived: %lu allocations, %lu forks\n", allocations, forks);
	return 0;
}

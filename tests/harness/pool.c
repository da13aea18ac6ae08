/* SPDX-License-Identifier: MIT */
/*
 * pool.c - the pools' lock, their sizes and what a test left in them
 *
 * The lock's descriptor is opened before the test is forked: a flock belongs to the
 * open file, so the test takes it and the harness still has it when the test is dead.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/pool.h"
#include "tests/harness/undo.h"

#define POOLS "/sys/kernel/mm/hugepages"

enum { SIZES_MAX = 8, SETTLE_TRIES = 100, SETTLE_US = 10000 };

struct counters {
	size_t page_bytes;
	unsigned long used, resv, surplus;
};

static int lock_fd = -1;

/* Shared with the harness: written by the test when it has the lock. */
static struct before {
	bool locked;
	unsigned n;
	struct counters at[SIZES_MAX];
} *before;

__attribute__((constructor(102))) static void open_lock(void)
{
	const char *path = getenv("HRESV_POOL_LOCK");

	before = mmap(NULL, sizeof(*before), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (before == MAP_FAILED)
		exit(2);
	if (getenv("HRESV_POOL_LOCKED"))
		return;
	if (!path)
		path = "/run/lock/hresv-pool.lock";
	/* O_CREAT on another user's file in a sticky directory fails, even for root. */
	lock_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (lock_fd < 0)
		lock_fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0666);
}

static bool read_counter(size_t page_bytes, const char *name, unsigned long *ret_pages)
{
	char path[256];
	FILE *f;
	bool got;

	snprintf(path, sizeof(path), POOLS "/hugepages-%zukB/%s", page_bytes / 1024, name);
	f = fopen(path, "re");
	got = f && fscanf(f, "%lu", ret_pages) == 1;
	if (f)
		fclose(f);
	return got;
}

static unsigned long counter(size_t page_bytes, const char *name)
{
	unsigned long pages;

	if (!read_counter(page_bytes, name, &pages))
		SKIP("huge pages of %zu KiB", page_bytes / 1024);
	return pages;
}

static bool read_counters(struct counters *c)
{
	unsigned long total, free_pages;

	if (!read_counter(c->page_bytes, "nr_hugepages", &total) ||
	    !read_counter(c->page_bytes, "free_hugepages", &free_pages) ||
	    !read_counter(c->page_bytes, "resv_hugepages", &c->resv) ||
	    !read_counter(c->page_bytes, "surplus_hugepages", &c->surplus))
		return false;
	c->used = total - free_pages;
	return true;
}

static void remember(void)
{
	DIR *d = opendir(POOLS);
	struct dirent *e;

	before->n = 0;
	while (d && (e = readdir(d)) != NULL && before->n < SIZES_MAX) {
		struct counters *c = &before->at[before->n];
		size_t kib;

		if (sscanf(e->d_name, "hugepages-%zukB", &kib) != 1)
			continue;
		c->page_bytes = kib * 1024;
		if (read_counters(c))
			before->n++;
	}
	if (d)
		closedir(d);
}

void pool_lock(void)
{
	if (before->locked)
		return;
	if (!getenv("HRESV_POOL_LOCKED")) {
		if (lock_fd < 0)
			SKIP("the lock /run/lock/hresv-pool.lock, or another in HRESV_POOL_LOCK");
		while (flock(lock_fd, LOCK_EX) != 0)
			if (errno != EINTR)
				SKIP("flock: %s", strerror(errno));
		/* For the programs this test runs. */
		setenv("HRESV_POOL_LOCKED", "1", 1);
	}
	remember();
	before->locked = true;
}

void pool_unlock(void)
{
	if (before->locked && lock_fd >= 0)
		flock(lock_fd, LOCK_UN);
	before->locked = false;
}

static void set(size_t page_bytes, const char *name, unsigned long pages)
{
	char path[256], text[32];
	int fd;
	bool written;

	pool_lock();
	snprintf(path, sizeof(path), POOLS "/hugepages-%zukB/%s", page_bytes / 1024, name);
	if (!undo_write(path))
		SKIP("huge pages of %zu KiB", page_bytes / 1024);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		SKIP("the right to write %s", path);
	snprintf(text, sizeof(text), "%lu\n", pages);
	written = write(fd, text, strlen(text)) > 0;
	close(fd);
	if (!written || counter(page_bytes, name) != pages)
		SKIP("%s of %lu, of %zu KiB (have %lu)", name, pages, page_bytes / 1024,
		     counter(page_bytes, name));
}

void pool_set(size_t page_bytes, unsigned long pages)
{
	set(page_bytes, "nr_hugepages", pages);
}

void pool_set_overcommit(size_t page_bytes, unsigned long pages)
{
	set(page_bytes, "nr_overcommit_hugepages", pages);
}

unsigned long pool_total(size_t page_bytes)
{
	return counter(page_bytes, "nr_hugepages");
}

unsigned long pool_free(size_t page_bytes)
{
	return counter(page_bytes, "free_hugepages");
}

unsigned long pool_resv(size_t page_bytes)
{
	return counter(page_bytes, "resv_hugepages");
}

unsigned long pool_surplus(size_t page_bytes)
{
	return counter(page_bytes, "surplus_hugepages");
}

unsigned long pool_overcommit(size_t page_bytes)
{
	return counter(page_bytes, "nr_overcommit_hugepages");
}

size_t pool_default_page_bytes(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char text[128];
	size_t kib = 0;

	while (f && fgets(text, sizeof(text), f))
		if (sscanf(text, "Hugepagesize: %zu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	if (kib == 0)
		SKIP("huge pages");
	return kib * 1024;
}

/* Pages of a process that just died come back a moment later: give them a second. */
bool pool_check(char *why, size_t bytes)
{
	for (unsigned i = 0; before->locked && i < before->n; i++) {
		struct counters then = before->at[i], now = then;

		for (int n = 0; n < SETTLE_TRIES; n++) {
			if (read_counters(&now) && now.used == then.used &&
			    now.resv == then.resv && now.surplus == then.surplus)
				break;
			usleep(SETTLE_US);
		}
		if (now.used == then.used && now.resv == then.resv && now.surplus == then.surplus)
			continue;
		snprintf(why, bytes,
			 "left the pool of %zu KiB: used %lu (was %lu), reserved %lu (was %lu), "
			 "surplus %lu (was %lu)",
			 then.page_bytes / 1024, now.used, then.used, now.resv, then.resv,
			 now.surplus, then.surplus);
		return false;
	}
	return true;
}

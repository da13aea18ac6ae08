/* SPDX-License-Identifier: MIT */
/*
 * undo.c - the shared log of things to put back
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <unistd.h>

#include "tests/harness/undo.h"

enum { UNDO_MAX = 128, TRIES = 200, TRY_US = 10000 };

struct step {
	bool (*play)(const struct step *);
	char path[512];
	char text[256];
};

/* n grows before the step is complete, so a step without play is one not reached. */
static struct log {
	_Atomic unsigned n;
	struct step at[UNDO_MAX];
} *steps;

__attribute__((constructor(101))) static void map_log(void)
{
	steps = mmap(NULL, sizeof(*steps), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (steps == MAP_FAILED) {
		perror("harness: no shared memory");
		exit(2);
	}
}

static void add(bool (*play)(const struct step *), const char *path, const char *text)
{
	unsigned n = atomic_fetch_add(&steps->n, 1);

	if (n >= UNDO_MAX) {
		fprintf(stderr, "harness: more than %d steps to undo\n", UNDO_MAX);
		_exit(2);
	}
	snprintf(steps->at[n].path, sizeof(steps->at[n].path), "%s", path);
	snprintf(steps->at[n].text, sizeof(steps->at[n].text), "%s", text);
	steps->at[n].play = play;
}

static bool play_write(const struct step *s)
{
	size_t bytes = strlen(s->text);
	int fd = open(s->path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, s->text, bytes) == (ssize_t)bytes;

	if (fd >= 0)
		close(fd);
	return done;
}

/* Its processes die asynchronously, and rmdir says EBUSY until they have. */
static bool play_cgroup(const struct step *s)
{
	char procs[600];

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", s->path);
	for (int i = 0; i < TRIES; i++) {
		if (rmdir(s->path) == 0 || errno == ENOENT)
			return true;
		FILE *f = fopen(procs, "re");
		int pid;

		while (f && fscanf(f, "%d", &pid) == 1)
			kill(pid, SIGKILL);
		if (f)
			fclose(f);
		usleep(TRY_US);
	}
	return false;
}

static bool play_umount(const struct step *s)
{
	for (int i = 0; i < TRIES; i++) {
		if (umount2(s->path, 0) == 0 || errno == EINVAL || errno == ENOENT)
			return true;
		usleep(TRY_US);
	}
	return umount2(s->path, MNT_DETACH) == 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	return remove(path) == 0 ? 0 : -1;
}

static bool play_tree(const struct step *s)
{
	return nftw(s->path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 ||
	       errno == ENOENT;
}

static bool play_segment(const struct step *s)
{
	return shmctl(atoi(s->text), IPC_RMID, NULL) == 0 || errno == EINVAL || errno == EIDRM;
}

bool undo_write(const char *path)
{
	char text[sizeof(steps->at[0].text)];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t bytes = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (bytes <= 0)
		return false;
	text[bytes] = '\0';
	add(play_write, path, text);
	return true;
}

void undo_write_text(const char *path, const char *text)
{
	add(play_write, path, text);
}

void undo_cgroup(const char *path)
{
	add(play_cgroup, path, "");
}

void undo_umount(const char *path)
{
	add(play_umount, path, "");
}

void undo_tree(const char *path)
{
	add(play_tree, path, "");
}

void undo_segment(int id)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", id);
	add(play_segment, "segment", text);
}

bool undo_all(void)
{
	unsigned n = atomic_load(&steps->n);
	bool all = true;

	if (n > UNDO_MAX)
		n = UNDO_MAX;
	while (n-- > 0) {
		struct step *s = &steps->at[n];

		if (s->play && !s->play(s)) {
			fprintf(stderr, "# could not undo %s %s: %s\n", s->path, s->text,
				strerror(errno));
			all = false;
		}
		s->play = NULL;
		atomic_store(&steps->n, n);
	}
	return all;
}

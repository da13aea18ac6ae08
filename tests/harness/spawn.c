/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - run a program and hold what it said and how it ended
 *
 * Output goes to memfds, not pipes: no reader to block on, and a daemon that stays
 * with the descriptor open keeps nobody waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/spawn.h"

enum { SPAWN_TIMEOUT_SECS = 30, EXIT_NOT_STARTED = 127 };

void as_user(const char *user)
{
	struct passwd *pw = getpwnam(user);

	if (!pw)
		SKIP("the user %s", user);
	if (geteuid() == pw->pw_uid)
		return;
	if (geteuid() != 0)
		SKIP("root, to become %s", user);
	if (initgroups(user, pw->pw_gid) || setgid(pw->pw_gid) || setuid(pw->pw_uid))
		FAIL("cannot become %s: %s", user, strerror(errno));
}

static void set_env(const struct spawn *what)
{
	for (const char *const *e = what->env; e && *e; e++) {
		if (strchr(*e, '='))
			putenv(strdup(*e));
		else
			unsetenv(*e);
	}
	if (what->preload)
		setenv("LD_PRELOAD",
		       what->preload[0] == '/' ? what->preload : harness_build_path(what->preload),
		       1);
}

__attribute__((noreturn)) static void child(const struct spawn *what, int out, int err)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setpgid(0, 0);
	if (what->cgroup)
		cgroup_join(what->cgroup, 0);
	if (what->user)
		as_user(what->user);
	set_env(what);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	if (what->in_child)
		what->in_child(what->arg);
	execvp(what->argv[0], (char *const *)what->argv);
	dprintf(STDERR_FILENO, "%s: %s\n", what->argv[0], strerror(errno));
	_exit(EXIT_NOT_STARTED);
}

static char *take(int fd, size_t *ret_bytes)
{
	off_t bytes = lseek(fd, 0, SEEK_END);
	char *text = malloc(bytes + 1);
	off_t done = 0;

	while (done < bytes) {
		ssize_t n = pread(fd, text + done, bytes - done, done);

		if (n <= 0)
			break;
		done += n;
	}
	text[done] = '\0';
	close(fd);
	*ret_bytes = done;
	return text;
}

/* False if it still ran after the time it had. */
static bool wait_for(pid_t pid, unsigned secs)
{
	struct pollfd end = { .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int n;

	if (end.fd < 0)
		FAIL("pidfd_open: %s", strerror(errno));
	do
		n = poll(&end, 1, secs * 1000);
	while (n < 0 && errno == EINTR);
	close(end.fd);
	return n == 1;
}

/* On slow machines all times are longer; the name is libcheck's, which does the same. */
static unsigned patience(unsigned secs)
{
	const char *times = getenv("CK_TIMEOUT_MULTIPLIER");

	return times && atoi(times) > 1 ? secs * (unsigned)atoi(times) : secs;
}

struct spawned spawn(const struct spawn *what)
{
	struct spawned r = { .exit_status = -1 };
	int out = memfd_create("stdout", MFD_CLOEXEC), err = memfd_create("stderr", MFD_CLOEXEC);
	int status = 0;
	pid_t pid = fork();

	if (pid < 0 || out < 0 || err < 0)
		FAIL("cannot start %s: %s", what->argv[0], strerror(errno));
	if (pid == 0)
		child(what, out, err);
	setpgid(pid, pid);

	r.timed_out = !wait_for(pid, patience(what->timeout_secs ? what->timeout_secs :
							     SPAWN_TIMEOUT_SECS));
	/* While it is a zombie its number, and its group's, are nobody else's. */
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (WIFEXITED(status))
		r.exit_status = WEXITSTATUS(status);
	else
		r.signal = WTERMSIG(status);
	r.out = take(out, &r.out_bytes);
	r.err = take(err, &r.err_bytes);
	return r;
}

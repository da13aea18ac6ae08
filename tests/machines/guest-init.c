/* SPDX-License-Identifier: MIT */
/*
 * guest-init.c - the first process of an emulated machine: runs tests, and switches it off
 *
 * /list has one test a line, its arguments behind it. Everything goes to the console,
 * with a line "=== Linux RELEASE" first, "=== STATUS FILE" behind each, and "=== end" last. Options of the kernel's
 * command line that the kernel doesn't know come in the environment:
 * guest_cgroup=1 (hugetlb in a version 1 hierarchy), guest_accounting=1 (cgroup2 mounted with
 * memory_hugetlb_accounting), guest_limit=SECONDS for each test.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MOST 16

static void mount_at(const char *kind, const char *at, const char *options)
{
	mkdir(at, 0755);
	if (mount(kind, at, kind, 0, options) != 0)
		printf("=== cannot mount %s at %s: %s\n", kind, at, strerror(errno));
}

static int option(const char *name)
{
	const char *value = getenv(name);

	return value ? atoi(value) : 0;
}

static void mount_groups(void)
{
	mount_at("tmpfs", "/sys/fs/cgroup", "mode=755");
	if (option("guest_cgroup") == 1) {
		mount_at("cgroup", "/sys/fs/cgroup/hugetlb", "hugetlb");
		mount_at("cgroup2", "/sys/fs/cgroup/unified", NULL);
	} else {
		umount("/sys/fs/cgroup");
		mount_at("cgroup2", "/sys/fs/cgroup",
			 option("guest_accounting") ? "memory_hugetlb_accounting" : NULL);
	}
}

/* The network that is nobody's but the machine's own. */
static void raise_loopback(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) != 0)
		printf("=== no loopback: %s\n", strerror(errno));
	close(fd);
}

static void prepare(void)
{
	mount_at("proc", "/proc", NULL);
	mount_at("sysfs", "/sys", NULL);
	mount_at("devtmpfs", "/dev", NULL);
	mount_at("tmpfs", "/dev/shm", NULL);
	mount_at("devpts", "/dev/pts", "ptmxmode=666");
	symlink("pts/ptmx", "/dev/ptmx");
	chmod("/tmp", 01777);
	mkdir("/run/lock", 0777);
	mount_groups();
	raise_loopback();
	symlink("/proc/self/fd", "/dev/fd");
	setenv("PATH", "/usr/bin:/bin", 1);
	setenv("HOME", "/tmp", 1);
	setenv("CK_TIMEOUT_MULTIPLIER", "8", 1);
}

static int run(char *line, int limit)
{
	char *words[WORDS_MOST + 1], *rest = line;
	int n = 0, status = -1;
	pid_t pid;

	while (n < WORDS_MOST && (words[n] = strsep(&rest, " ")))
		n++;
	words[n] = NULL;
	pid = fork();
	if (pid == 0) {
		setsid();
		execv(words[0], words);
		printf("=== cannot run %s: %s\n", words[0], strerror(errno));
		_exit(127);
	}
	for (int waited = 0; waitpid(pid, &status, WNOHANG) == 0; waited++) {
		if (waited == limit * 50)
			kill(-pid, SIGKILL);
		usleep(20000);
	}
	/* Whoever else is left of it; children come to us. */
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(void)
{
	struct utsname u;
	char line[500];
	FILE *list;

	setvbuf(stdout, NULL, _IOLBF, 0);
	prepare();
	if (uname(&u) == 0)
		printf("=== Linux %s\n", u.release);
	list = fopen("/list", "re");
	while (list && fgets(line, sizeof(line), list)) {
		char file[500];
		int status;

		line[strcspn(line, "\n")] = '\0';
		strcpy(file, line);
		status = run(line, option("guest_limit") ? option("guest_limit") : 300);
		printf("=== %d %s\n", status, file);
	}
	printf("=== end\n");
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}

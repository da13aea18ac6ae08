/* SPDX-License-Identifier: MIT */
/* program.c - from a command line to the binary that runs; see program.h */
#include "tools/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The kernel follows as many "#!" lines as this, and no more. */
#define SCRIPTS_MAX 5
#define HASHBANG_MAX 4096

static bool is_runnable(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	if (!S_ISREG(st.st_mode)) {
		errno = EACCES;
		return false;
	}
	return access(path, X_OK) == 0;
}

/* As execvp(3) looks; NULL and errno, EACCES going over ENOENT. */
static char *find(const char *name)
{
	const char *from = getenv("PATH");
	int error = ENOENT;
	char *path;

	if (!*name) {
		errno = ENOENT;
		return NULL;
	}
	if (strchr(name, '/'))
		return is_runnable(name) ? strdup(name) : NULL;
	for (from = from ? from : "/bin:/usr/bin"; from; from = strchr(from, ':')) {
		from += *from == ':';

		const int bytes = (int)strcspn(from, ":");

		if (asprintf(&path, "%.*s%s%s", bytes, from, bytes ? "/" : "./", name) < 0)
			return NULL;
		if (is_runnable(path))
			return path;
		if (errno == EACCES)
			error = EACCES;
		free(path);
	}
	errno = error;
	return NULL;
}

/* The words of a "#!" line: interpreter and its one argument; false: no script. */
static bool hashbang(int fd, char line[HASHBANG_MAX], char **ret_interpreter, char **ret_argument)
{
	ssize_t got = pread(fd, line, HASHBANG_MAX - 1, 0);
	char *rest;

	if (got < 3 || line[0] != '#' || line[1] != '!')
		return false;
	line[got] = '\0';
	line[strcspn(line, "\n")] = '\0';
	*ret_interpreter = line + 2 + strspn(line + 2, " \t");
	rest = *ret_interpreter + strcspn(*ret_interpreter, " \t");
	if (*rest)
		*rest++ = '\0';
	*ret_argument = rest + strspn(rest, " \t");
	return **ret_interpreter != '\0';
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What env(1) would start: the first word that is no option and no assignment. */
static const char *after_env(char *words)
{
	for (char *word = strtok(words, " \t"); word; word = strtok(NULL, " \t"))
		if (word[0] != '-' && !strchr(word, '='))
			return word;
	return NULL;
}

/* The bits that make the kernel set AT_SECURE, as far as the file has them. */
static bool is_secure(int fd)
{
	struct statvfs fs;
	struct stat st;

	if (fstat(fd, &st) != 0 || fstatvfs(fd, &fs) != 0 || (fs.f_flag & ST_NOSUID) ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return false;
	if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
		return true;
	if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getgid())
		return true;
	return getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

/* Follows one script: true when @p->path is another file now. */
static bool follow(struct program *p, int fd)
{
	char line[HASHBANG_MAX], *interpreter, *argument;
	const char *next;

	if (!hashbang(fd, line, &interpreter, &argument))
		return false;
	next = interpreter;
	if (strcmp(base_name(interpreter), "env") == 0) {
		const char *started = after_env(argument);

		next = started ? started : interpreter;
	}
	if (!p->script)
		p->script = p->path;
	else
		free(p->path);
	p->path = find(next);
	p->error = p->path ? 0 : errno;
	return p->path != NULL;
}

static bool step(struct program *p)
{
	int fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool again = false;

	if (fd < 0) {
		p->error = errno;
		return false;
	}
	p->error = -binary_read(fd, &p->binary);
	if (p->error == ENOEXEC) {
		binary_free(&p->binary);
		again = follow(p, fd);
	} else {
		p->secure = is_secure(fd);
	}
	close(fd);
	return again;
}

/* Of "env NAME=value program" the program is meant. */
static char *const *without_env(char *const *argv)
{
	if (strcmp(base_name(argv[0]), "env") != 0)
		return argv;
	for (char *const *rest = argv + 1; *rest; rest++)
		if ((*rest)[0] == '-')
			return argv;
		else if (!strchr(*rest, '='))
			return rest;
	return argv;
}

void program_open(char *const *argv, struct program *ret_program)
{
	char *resolved;

	*ret_program = (struct program){ 0 };
	ret_program->path = find(without_env(argv)[0]);
	if (!ret_program->path) {
		ret_program->error = errno;
		return;
	}
	for (int i = 0; step(ret_program); i++)
		if (i == SCRIPTS_MAX) {
			ret_program->error = ELOOP;
			break;
		}
	resolved = ret_program->path ? realpath(ret_program->path, NULL) : NULL;
	if (resolved) {
		free(ret_program->path);
		ret_program->path = resolved;
	}
}

void program_close(struct program *p)
{
	binary_free(&p->binary);
	free(p->path);
	free(p->script);
}

bool program_is_glibc(const char *interpreter)
{
	const char *name = base_name(interpreter);

	return strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld64.so", 7) == 0 ||
	       strncmp(name, "ld.so", 5) == 0;
}

enum trouble program_trouble(const struct program *p, unsigned machine)
{
	const struct binary *b = &p->binary;

	if (!p->path || p->error)
		return TROUBLE_NO_PROGRAM;
	if (!b->native || b->machine != machine)
		return TROUBLE_ARCH;
	if (!b->interpreter)
		return b->go ? TROUBLE_GO : TROUBLE_STATIC;
	if (!program_is_glibc(b->interpreter))
		return TROUBLE_LIBC;
	if (p->secure)
		return TROUBLE_SECURE;
	if (b->go)
		return TROUBLE_GO;
	return b->allocator ? TROUBLE_ALLOCATOR : TROUBLE_NONE;
}

/* SPDX-License-Identifier: MIT */
/* advice.c - what is wrong with a program or a library, in words; see advice.h */
#include "tools/advice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"

static char *text_of(const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) < 0)
		exit(command_failed("out of memory"));
	return text;
}

void advice_say(struct advice *a, enum trouble t, const char *format, ...)
{
	va_list args;

	a->trouble = t;
	va_start(args, format);
	a->says = text_of(format, args);
	va_end(args);
}

void advice_mend(struct advice *a, const char *label, const char *format, ...)
{
	struct mend *more = realloc(a->mends, (a->n + 1) * sizeof(*more));
	va_list args;

	if (!more)
		exit(command_failed("out of memory"));
	a->mends = more;
	va_start(args, format);
	a->mends[a->n++] = (struct mend){ label, text_of(format, args) };
	va_end(args);
}

void advice_free(struct advice *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->mends[i].line);
	free(a->mends);
	free(a->says);
	*a = (struct advice){ 0 };
}

static void no_program(const struct program *p, struct advice *a)
{
	if (p->script && !p->path)
		advice_say(a, TROUBLE_NO_PROGRAM, "the interpreter that %s names: %s", p->script,
			   strerror(p->error));
	else if (p->path)
		advice_say(a, TROUBLE_NO_PROGRAM, "%s: %s", p->path, strerror(p->error));
	else
		advice_say(a, TROUBLE_NO_PROGRAM, "the program: %s", strerror(p->error));
}

static void own_allocator(const struct program *p, struct advice *a)
{
	const char *who = p->binary.allocator;

	if (strcmp(who, "malloc") == 0)
		advice_say(a, TROUBLE_ALLOCATOR,
			   "it defines malloc itself, so its heap is huge only as far as that malloc "
			   "uses mmap");
	else
		advice_say(a, TROUBLE_ALLOCATOR,
			   "%s is linked into it, so its heap is huge only as far as %s uses mmap", who,
			   who);
	advice_mend(a, "build", "link the allocator as a shared library, or not at all: then the "
				"preload's malloc goes first");
	if (strcmp(who, "mimalloc") == 0)
		advice_mend(a, "switch", "MIMALLOC_ALLOW_LARGE_OS_PAGES=1, whose requests are proven too");
	if (strcmp(who, "jemalloc") == 0)
		advice_mend(a, "switch", "MALLOC_CONF=thp:always, or vm.overcommit_memory=2: else its "
					 "mappings are MAP_NORESERVE, and left alone");
	advice_mend(a, "accept", "hresv check --accept=own-allocator, if its mappings are enough");
}

static void secure(struct advice *a)
{
	advice_say(a, TROUBLE_SECURE,
		   "it gains rights when it starts (set-user-ID, set-group-ID or file capabilities), so "
		   "the loader ignores the preload and libhresv would ignore its variables");
	advice_mend(a, "start", "from a service that has those rights already: User= and "
				"AmbientCapabilities= of systemd");
	advice_mend(a, "file", "a copy without them: install -m 755 PROGRAM COPY");
}

void advice_program(enum trouble t, const struct program *p, struct advice *a)
{
	const struct binary *b = &p->binary;

	switch (t) {
	case TROUBLE_STATIC:
		advice_say(a, t, "it is a static binary, and has no loader that could preload anything");
		advice_mend(a, "build", "link it dynamically, or with -lhresv-malloc (pkg-config "
					"--static --libs libhresv-malloc) for its heap");
		break;
	case TROUBLE_GO:
		advice_say(a, t, "it is a Go program, and its run-time makes system calls of its own "
				 "that no preload sees");
		advice_mend(a, "THP", "transparent huge pages serve its heap: echo madvise > "
				      "/sys/kernel/mm/transparent_hugepage/enabled");
		break;
	case TROUBLE_LIBC:
		advice_say(a, t, "its loader is %s: musl or another libc, and libhresv needs glibc 2.34",
			   b->interpreter);
		advice_mend(a, "image", "one on glibc (debian, ubuntu, rockylinux; not alpine)");
		break;
	case TROUBLE_ARCH:
		advice_say(a, t, "it is for %s%s, and the library is not",
			   binary_machine_name(b->machine),
			   b->native ? "" : ", 32 bits or of other byte order");
		advice_mend(a, "build", "libhresv for that machine; 32 bits are not supported");
		break;
	case TROUBLE_SECURE:
		secure(a);
		break;
	case TROUBLE_ALLOCATOR:
		own_allocator(p, a);
		break;
	default:
		no_program(p, a);
		break;
	}
}

void advice_library(enum trouble t, const char *path, struct advice *a)
{
	if (t == TROUBLE_NOEXEC) {
		advice_say(a, t, "%s lies on a file system mounted noexec, from which the loader maps "
				 "no library", path);
		advice_mend(a, "now", "install the library elsewhere, and --library=PATH");
		advice_mend(a, "mount", "mount -o remount,exec $(findmnt -no TARGET -T %s)", path);
		return;
	}
	advice_say(a, TROUBLE_NO_LIBRARY, "%s can't be found or read here",
		   path ? path : "libhresv.so");
	advice_mend(a, "now", "--library=PATH names it; 'make install' puts it where it is found");
	advice_mend(a, "container", "copy libhresv.so, the one file, into the image");
}

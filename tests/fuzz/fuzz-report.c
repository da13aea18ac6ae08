/* SPDX-License-Identifier: MIT */
/*
 * What hresv reads of somebody else's process: a statistics page that lies, mappings and
 * notes that lead anywhere, and a file HUGETLB_STATS never wrote.
 *
 * The first byte says which: a page that is right but for bytes changed at places the input
 * names, a process of which nothing is right, or a file.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/act/pagemap.h"
#include "tools/command.h"
#include "tools/page.h"
#include "tools/report.h"

#define PID 7

/* hresv's own end of a command that has no memory. */
int command_failed(const char *format, ...)
{
	(void)format;
	abort();
}
#define NOTE_AT 0x200
#define PAGE_AT 0x400

static struct {
	char root[64];
	int maps, auxv, memory, status, file;
} made;

static int make_file(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", made.root, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		abort();
	return fd;
}

static void make_directory(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", made.root, name);
	if (mkdir(path, 0700) != 0)
		abort();
}

static void remove_root(void)
{
	const char *const names[] = { "proc/7/maps", "proc/7/auxv", "proc/7/mem", "proc/7/status",
				      "stats", "proc/7", "proc", "." };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", made.root, names[i]);
		remove(path);
	}
	rmdir(made.root);
}

static void make_root(void)
{
	strcpy(made.root, "/tmp/hresv-fuzz-XXXXXX");
	if (!mkdtemp(made.root))
		abort();
	make_directory("proc");
	make_directory("proc/7");
	made.maps = make_file("proc/7/maps");
	made.auxv = make_file("proc/7/auxv");
	made.memory = make_file("proc/7/mem");
	made.status = make_file("proc/7/status");
	made.file = make_file("stats");
	atexit(remove_root);
	proc_set_root(made.root);
	if (!freopen("/dev/null", "w", stdout))
		abort();
}

static void fill(int fd, const void *content, size_t bytes)
{
	if (ftruncate(fd, 0) != 0 || pwrite(fd, content, bytes, 0) != (ssize_t)bytes)
		abort();
}

struct image {
	_Alignas(8) unsigned char byte[PAGE_AT + sizeof(struct stats_page) + 4096];
};

/* A library whose first page has headers, a note, and the statistics behind it. */
static void make_image(struct image *image)
{
	const Elf64_Nhdr note = { sizeof(STATS_NOTE_NAME), sizeof(uint64_t), STATS_NOTE_TYPE };
	const size_t text = NOTE_AT + sizeof(note) + 8;
	const uint64_t distance = PAGE_AT - text;
	const Elf64_Phdr ph = { .p_type = PT_NOTE, .p_vaddr = NOTE_AT,
				.p_filesz = sizeof(note) + 8 + sizeof(distance) };
	Elf64_Ehdr eh = { .e_phoff = sizeof(eh), .e_phnum = 1, .e_phentsize = sizeof(ph) };
	struct stats_page page = {
		.magic = STATS_MAGIC, .version = STATS_VERSION, .bytes = sizeof(page),
		.uses = USE_N, .reasons = REASON_N, .sizes = PAGESIZE_MAX,
		.records = STATS_RECORDS, .pid = PID, .granule_shift = GRANULE_SHIFT,
		.map_top = 0x800, .map_top_words = PAGEMAP_TOP_WORDS,
		.map_leaf_words = PAGEMAP_LEAF_WORDS, .decided = 5,
	};

	memset(image, 0, sizeof(*image));
	memcpy(eh.e_ident, ELFMAG, SELFMAG);
	eh.e_ident[EI_CLASS] = ELFCLASS64;
	memcpy(image->byte, &eh, sizeof(eh));
	memcpy(image->byte + sizeof(eh), &ph, sizeof(ph));
	memcpy(image->byte + NOTE_AT, &note, sizeof(note));
	memcpy(image->byte + NOTE_AT + sizeof(note), STATS_NOTE_NAME, sizeof(STATS_NOTE_NAME));
	memcpy(image->byte + text, &distance, sizeof(distance));
	memcpy(image->byte + PAGE_AT, &page, sizeof(page));
}

/* Two bytes say where, the third what. */
static void change(struct image *image, const uint8_t *data, size_t bytes)
{
	for (; bytes >= 3; data += 3, bytes -= 3)
		image->byte[(data[0] | data[1] << 8) % sizeof(image->byte)] = data[2];
}

static void look(uint64_t lo, uint64_t hi, uint32_t word, void *arg)
{
	(void)arg;
	if (lo >= hi || !(word & WORD_KIND_MASK))
		abort();
}

static void read_all(struct report *r)
{
	struct screen on;
	struct json j;

	screen_start(&on, stdout);
	report_print(&on, r);
	report_print_decisions(&on, r, 8);
	json_start(&j, stdout);
	json_object(&j, NULL);
	report_json(&j, r);
	report_json_decisions(&j, r);
	json_end_object(&j);
	if (r->page_err == 0 && r->live)
		page_walk_map(PID, &r->page, look, NULL);
}

static void read_process(void)
{
	static struct report r;

	if (report_of_pid(PID, &r) == 0)
		read_all(&r);
}

static void read_file(void)
{
	static struct report r;
	char path[128];

	snprintf(path, sizeof(path), "%s/stats", made.root);
	if (report_of_file(path, &r) == 0)
		read_all(&r);
}

static void serve_odd_page(const uint8_t *data, size_t bytes)
{
	static const char maps[] = "0-8000 r--p 00000000 00:00 0 /usr/lib/libhresv.so\n";
	static struct image image;

	make_image(&image);
	change(&image, data, bytes);
	fill(made.maps, maps, sizeof(maps) - 1);
	fill(made.auxv, "", 0);
	fill(made.memory, &image, sizeof(image));
}

static void serve_anything(const uint8_t *data, size_t bytes)
{
	const size_t maps = bytes > 2 ? data[0] * 4u % (bytes - 2) : 0;
	const size_t auxv = bytes > 2 ? data[1] % (bytes - 2 - maps) : 0;

	if (bytes < 3)
		return;
	data += 2;
	bytes -= 2;
	fill(made.maps, data, maps);
	fill(made.auxv, data + maps, auxv);
	fill(made.memory, data + maps + auxv, bytes - maps - auxv);
	fill(made.status, data, maps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const char status[] = "Name:\tany\nUid:\t0\t0\t0\t0\nVmRSS:\t8 kB\nNSpid:\t7\n";

	if (!made.root[0])
		make_root();
	if (!bytes)
		return 0;
	fill(made.status, status, sizeof(status) - 1);
	if (data[0] % 3 == 0) {
		serve_odd_page(data + 1, bytes - 1);
		read_process();
	} else if (data[0] % 3 == 1) {
		serve_anything(data + 1, bytes - 1);
		read_process();
	} else {
		fill(made.file, data + 1, bytes - 1);
		read_file();
	}
	return 0;
}

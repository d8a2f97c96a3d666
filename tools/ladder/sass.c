/* Reads fat binaries and the ELF files in them; the instructions themselves are sass_mix.c's. All bytes come through the cursor.
 */
#include "sass.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"

enum {
    FAT_HEADER = 16,
    FAT_ENTRY = 48,
    FAT_CODE = 2, /* an entry's kind: an ELF file */
    ELF_CLASS64 = 2,
    ELF_HEADER = 64,
    ELF_SECTION = 64,
    ELF_NOBITS = 8,
    NAME_BYTES = sizeof((struct sass_kernel *)0)->name
};
static const uint32_t FAT_MAGIC = 0xba55ed50, ELF_MAGIC = 0x464c457f;

struct list {
    struct sass_kernel *items;
    int count, room;
};

struct section {
    const char *name; /* ends within the table of names */
    uint32_t type, info;
    uint64_t at, size;
};

struct elf {
    struct osp_cursor c;
    uint64_t table; /* of sections */
    uint16_t sections;
    struct section names;
    int arch;
};

/* ---- ELF ------------------------------------------------------------------------------------------ */

static osp_status read_section(struct elf *elf, int i, struct section *out)
{
    struct osp_cursor *c = &elf->c;
    uint32_t name = 0, link;
    uint64_t flags, address;
    const uint8_t *text = NULL;
    *out = (struct section){.name = ""};
    osp_status status = osp_read_seek(c, "a section's header", elf->table + (uint64_t)i * ELF_SECTION);
    status = status ? status : osp_read_u32(c, "a section's name", &name);
    status = status ? status : osp_read_u32(c, "a section's type", &out->type);
    status = status ? status : osp_read_u64(c, "a section's flags", &flags);
    status = status ? status : osp_read_u64(c, "a section's address", &address);
    status = status ? status : osp_read_u64(c, "a section's place", &out->at);
    status = status ? status : osp_read_u64(c, "a section's size", &out->size);
    status = status ? status : osp_read_u32(c, "a section's link", &link);
    status = status ? status : osp_read_u32(c, "a section's info", &out->info);
    size_t at = c->at;
    if (status || !elf->names.size)
        return status;
    if (name >= elf->names.size)
        return osp_refuse(c, at, "a section's name", "found offset %u, allowed is less than %llu", name,
                          (unsigned long long)elf->names.size);
    status = osp_read_seek(c, "a section's name", elf->names.at + name);
    status = status ? status : osp_read_bytes(c, "a section's name", elf->names.size - name, &text);
    if (!status && !memchr(text, 0, elf->names.size - name))
        return osp_refuse(c, at, "a section's name", "found no end of it, allowed is a 0 within the table of names");
    out->name = status ? "" : (const char *)text;
    return status;
}

static osp_status open_elf(struct elf *elf)
{
    struct osp_cursor *c = &elf->c;
    uint32_t magic = 0;
    uint16_t size = 0, names = 0;
    uint8_t class = 0;
    osp_status status = osp_read_u32(c, "machine code", &magic);
    if (!status && magic != ELF_MAGIC)
        return osp_refuse(c, 0, "machine code", "found 0x%08x, allowed is an ELF file, 0x%08x", magic, ELF_MAGIC);
    status = status ? status : osp_read_u8(c, "ELF class", &class);
    if (!status && class != ELF_CLASS64)
        return osp_refuse(c, 4, "ELF class", "found %u, allowed is %d", class, ELF_CLASS64);
    status = status ? status : osp_read_seek(c, "the table of sections", 40);
    status = status ? status : osp_read_u64(c, "the table of sections", &elf->table);
    status = status ? status : osp_read_seek(c, "bytes of a section's header", 58);
    status = status ? status : osp_read_u16(c, "bytes of a section's header", &size);
    if (!status && size != ELF_SECTION)
        return osp_refuse(c, 58, "bytes of a section's header", "found %u, allowed is %d", size, ELF_SECTION);
    status = status ? status : osp_read_u16(c, "number of sections", &elf->sections);
    status = status ? status : osp_read_u16(c, "the section of names", &names);
    if (!status && (names >= elf->sections || elf->table > c->size))
        return osp_refuse(c, 62, "the section of names", "found %u, allowed is less than %u", names, elf->sections);
    struct section found;
    status = status ? status : read_section(elf, names, &found);
    if (!status)
        elf->names = found;
    return status;
}

/* The registers that ".nv.info" has for the symbol of a kernel. Its entries: u8 format, u8 attribute, u16; with format 4 so many
 * bytes follow, which of this attribute are u32 symbol and u32 registers. */
static osp_status find_registers(struct elf *elf, uint32_t symbol, int *out)
{
    enum { SIZED = 4, REGISTERS = 0x2f, MOST = 255 };
    struct osp_cursor *c = &elf->c;
    struct section section = {.name = ""};
    osp_status status = OSP_OK;
    for (int i = 0; !status && i < elf->sections && strcmp(section.name, ".nv.info"); i++)
        status = read_section(elf, i, &section);
    if (!status && strcmp(section.name, ".nv.info"))
        return osp_refuse(c, 0, ".nv.info", "found no such section, allowed is one");
    status = status ? status : osp_read_seek(c, ".nv.info", section.at);
    for (uint64_t end = section.at + section.size; !status && c->at < end;) {
        uint8_t format = 0, attribute = 0;
        uint16_t size = 0;
        uint32_t of = 0, registers = 0;
        status = osp_read_u8(c, ".nv.info", &format);
        status = status ? status : osp_read_u8(c, ".nv.info", &attribute);
        status = status ? status : osp_read_u16(c, ".nv.info", &size);
        uint64_t next = c->at + (format == SIZED ? size : 0);
        if (!status && format == SIZED && attribute == REGISTERS) {
            status = osp_read_u32(c, "registers of a kernel", &of);
            status = status ? status : osp_read_u32(c, "registers of a kernel", &registers);
            if (!status && of == symbol && registers > MOST)
                return osp_refuse(c, c->at - 4, "registers of a kernel", "found %u, allowed are %d", registers, MOST);
            if (!status && of == symbol) {
                *out = (int)registers;
                return OSP_OK;
            }
        }
        status = status ? status : osp_read_seek(c, ".nv.info", next);
    }
    return status ? status : osp_refuse(c, (size_t)section.at, "registers of a kernel", "found none for symbol %u", symbol);
}

/* Bytes of static shared memory of a kernel. What the system keeps for itself from sm_90 on is in the section too. */
static osp_status find_shared(struct elf *elf, const char *kernel, int *out)
{
    static const char prefix[] = ".nv.shared.";
    enum { RESERVED = 1024 };
    struct section section;
    uint64_t bytes = 0, reserved = 0;
    for (int i = 0; i < elf->sections; i++) {
        osp_status status = read_section(elf, i, &section);
        if (status)
            return status;
        if (strncmp(section.name, prefix, sizeof prefix - 1))
            continue;
        if (!strcmp(section.name + sizeof prefix - 1, kernel))
            bytes = section.size;
        else if (!strcmp(section.name + sizeof prefix - 1, "reserved.0"))
            reserved = RESERVED;
    }
    bytes = bytes > reserved ? bytes - reserved : 0;
    if (bytes > 1 << 20)
        return osp_refuse(&elf->c, 0, "shared memory", "found %llu bytes, allowed are %d", (unsigned long long)bytes, 1 << 20);
    *out = (int)bytes;
    return OSP_OK;
}

static osp_status add_kernel(struct elf *elf, const struct section *section, const char *name, struct list *list)
{
    const uint8_t *code = NULL;
    if (strlen(name) >= NAME_BYTES)
        return osp_refuse(&elf->c, 0, "a kernel's name", "found %zu characters, allowed are %d", strlen(name), NAME_BYTES - 1);
    osp_status status = osp_read_seek(&elf->c, name, section->at);
    status = status ? status : osp_read_bytes(&elf->c, name, section->size, &code);
    if (!status && section->size % 16)
        status = osp_refuse(&elf->c, (size_t)section->at, name, "found %llu bytes, allowed are instructions of 16",
                            (unsigned long long)section->size);
    if (status)
        return status;
    if (list->count == list->room) {
        int room = list->room ? list->room * 2 : 16;
        struct sass_kernel *grown = realloc(list->items, (size_t)room * sizeof *grown);
        if (!grown)
            return osp_fail(OSP_MEMORY, "out of memory for %d kernels", room);
        list->items = grown;
        list->room = room;
    }
    struct sass_kernel *kernel = &list->items[list->count];
    *kernel = (struct sass_kernel){.arch = elf->arch};
    strcpy(kernel->name, name);
    status = sass_mix_of(code, (size_t)section->size, elf->arch, kernel);
    status = status ? status : find_registers(elf, section->info & 0xffffff, &kernel->registers);
    status = status ? status : find_shared(elf, name, &kernel->shared_bytes);
    list->count += !status;
    return status;
}

static osp_status read_elf(struct elf *elf, struct list *list)
{
    static const char prefix[] = ".text.";
    struct section section;
    osp_status status = open_elf(elf);
    for (int i = 0; !status && i < elf->sections; i++) {
        status = read_section(elf, i, &section);
        if (!status && !strncmp(section.name, prefix, sizeof prefix - 1) && section.type != ELF_NOBITS)
            status = add_kernel(elf, &section, section.name + sizeof prefix - 1, list);
    }
    return status;
}

/* ---- The fat binary ------------------------------------------------------------------------------- */

static osp_status read_entry(struct osp_cursor *c, struct list *list)
{
    size_t start = c->at;
    uint16_t kind = 0;
    uint32_t header = 0, packed = 0, arch = 0;
    uint64_t size = 0;
    const uint8_t *content = NULL;
    osp_status status = osp_read_u16(c, "an entry's kind", &kind);
    status = status ? status : osp_read_seek(c, "bytes of an entry's header", start + 4);
    status = status ? status : osp_read_u32(c, "bytes of an entry's header", &header);
    status = status ? status : osp_read_u64(c, "bytes of an entry", &size);
    status = status ? status : osp_read_u32(c, "bytes compressed", &packed);
    status = status ? status : osp_read_seek(c, "an entry's architecture", start + 28);
    status = status ? status : osp_read_u32(c, "an entry's architecture", &arch);
    if (!status && header < FAT_ENTRY)
        return osp_refuse(c, start + 4, "bytes of an entry's header", "found %u, allowed are %d or more", header, FAT_ENTRY);
    if (!status && (arch < 10 || arch > 999))
        return osp_refuse(c, start + 28, "an entry's architecture", "found %u, allowed are 10 to 999", arch);
    status = status ? status : osp_read_seek(c, "an entry", start + header);
    status = status ? status : osp_read_bytes(c, "an entry", size, &content);
    if (status || kind != FAT_CODE)
        return status;
    if (packed)
        return osp_refuse(c, start + 16, "bytes compressed", "found %u, allowed is 0: nvcc -no-compress", packed);
    struct elf elf = {{.path = c->path, .data = content, .size = (size_t)size, .base = start + header}, .arch = (int)arch};
    return read_elf(&elf, list);
}

osp_status sass_read(const char *file, const unsigned char *data, size_t size, struct sass_kernel **out, int *count)
{
    struct osp_cursor c = {.path = file, .data = data, .size = size};
    struct list list = {0};
    uint32_t magic = 0;
    uint16_t version, header = 0;
    uint64_t bytes = 0;
    osp_status status = osp_read_u32(&c, "a fat binary", &magic);
    if (!status && magic != FAT_MAGIC)
        return osp_refuse(&c, 0, "a fat binary", "found 0x%08x, allowed is 0x%08x", magic, FAT_MAGIC);
    status = status ? status : osp_read_u16(&c, "its version", &version);
    status = status ? status : osp_read_u16(&c, "bytes of its header", &header);
    status = status ? status : osp_read_u64(&c, "bytes of its entries", &bytes);
    if (!status && (header < FAT_HEADER || header > size || bytes > size - header))
        return osp_refuse(&c, 6, "bytes of its entries", "found %llu after a header of %u, allowed are %zu in all",
                          (unsigned long long)bytes, header, size);
    status = status ? status : osp_read_seek(&c, "its entries", header);
    c.size = status ? c.size : (size_t)(header + bytes);
    while (!status && osp_read_left(&c))
        status = read_entry(&c, &list);
    if (status) {
        free(list.items);
        return status;
    }
    *out = list.items;
    *count = list.count;
    return OSP_OK;
}

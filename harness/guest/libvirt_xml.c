// SPDX-License-Identifier: GPL-2.0-or-later
/* A domain's XML, by libxml2's writer. See libvirt_xml.h. */
#include "guest/libvirt_xml.h"

#include <libxml/xmlwriter.h>
#include <string.h>

#define QEMU_NS "http://libvirt.org/schemas/domain/qemu/1.0"

/* The writer fails only without memory, and that ends the program: results are not looked at. */
static void open_tag(xmlTextWriterPtr w, const char *name)
{
	xmlTextWriterStartElement(w, BAD_CAST name);
}

static void close_tag(xmlTextWriterPtr w)
{
	xmlTextWriterEndElement(w);
}

static void attr(xmlTextWriterPtr w, const char *name, const char *value)
{
	xmlTextWriterWriteAttribute(w, BAD_CAST name, BAD_CAST value);
}

static void attr_number(xmlTextWriterPtr w, const char *name, unsigned value)
{
	g_autofree char *text = g_strdup_printf("%u", value);

	attr(w, name, text);
}

static void text_tag(xmlTextWriterPtr w, const char *name, const char *text)
{
	xmlTextWriterWriteElement(w, BAD_CAST name, BAD_CAST text);
}

static void empty_tag(xmlTextWriterPtr w, const char *name, const char *key, const char *value)
{
	open_tag(w, name);
	if (key)
		attr(w, key, value);
	close_tag(w);
}

static void write_size(xmlTextWriterPtr w, const struct libvirt_domain *d)
{
	g_autofree char *mem = g_strdup_printf("%u", d->mem_mib);
	g_autofree char *smp = g_strdup_printf("%u", d->smp);

	open_tag(w, "memory");
	attr(w, "unit", "MiB");
	xmlTextWriterWriteString(w, BAD_CAST mem);
	close_tag(w);
	text_tag(w, "vcpu", smp);
	/* as QEMU's -smp N does; libvirt would make sockets of them */
	open_tag(w, "cpu");
	open_tag(w, "topology");
	attr(w, "sockets", "1");
	attr_number(w, "cores", d->smp);
	attr(w, "threads", "1");
	close_tag(w);
	close_tag(w);
}

static void write_os(xmlTextWriterPtr w, const struct libvirt_domain *d)
{
	open_tag(w, "os");
	open_tag(w, "type");
	attr(w, "arch", "x86_64");
	attr(w, "machine", "pc");
	xmlTextWriterWriteString(w, BAD_CAST "hvm");
	close_tag(w);
	text_tag(w, "kernel", d->kernel);
	if (d->initrd)
		text_tag(w, "initrd", d->initrd);
	text_tag(w, "cmdline", d->append ?: "");
	close_tag(w);
	open_tag(w, "features");
	empty_tag(w, "acpi", NULL, NULL);
	empty_tag(w, "apic", NULL, NULL);
	close_tag(w);
}

/* What a guest does to itself ends it: nothing is started again behind our back. */
static void write_lifecycle(xmlTextWriterPtr w)
{
	empty_tag(w, "clock", "offset", "utc");
	text_tag(w, "on_poweroff", "destroy");
	text_tag(w, "on_reboot", "destroy");
	text_tag(w, "on_crash", "destroy");
}

static void write_serial(xmlTextWriterPtr w, unsigned port)
{
	open_tag(w, "serial");
	attr(w, "type", "pty");	/* the kind that libvirt hands out as a stream */
	open_tag(w, "target");
	attr_number(w, "port", port);
	close_tag(w);
	close_tag(w);
}

/* No default devices: libvirt adds a USB controller and a balloon unless it is told not to. */
static void write_devices(xmlTextWriterPtr w, const struct libvirt_domain *d)
{
	open_tag(w, "devices");
	if (d->emulator)
		text_tag(w, "emulator", d->emulator);
	open_tag(w, "controller");
	attr(w, "type", "usb");
	attr(w, "model", "none");
	close_tag(w);
	empty_tag(w, "memballoon", "model", "none");
	write_serial(w, 0);
	write_serial(w, 1);
	close_tag(w);
}

static void write_arg(xmlTextWriterPtr w, const char *value)
{
	empty_tag(w, "qemu:arg", "value", value);
}

static void write_arguments(xmlTextWriterPtr w, const struct libvirt_domain *d)
{
	open_tag(w, "qemu:commandline");
	write_arg(w, "-cpu");
	write_arg(w, d->cpu_model);
	if (d->plugin) {
		write_arg(w, "-plugin");
		write_arg(w, d->plugin);
	}
	for (const char *const *arg = d->extra; arg && *arg; arg++)
		write_arg(w, *arg);
	close_tag(w);
}

static void write_domain(xmlTextWriterPtr w, const struct libvirt_domain *d)
{
	open_tag(w, "domain");
	attr(w, "type", strcmp(d->accel, "kvm") == 0 ? "kvm" : "qemu");
	attr(w, "xmlns:qemu", QEMU_NS);
	text_tag(w, "name", d->name);
	write_size(w, d);
	write_os(w, d);
	write_lifecycle(w);
	write_devices(w, d);
	write_arguments(w, d);
	close_tag(w);
}

/* XML has no way to write most control characters, and libvirt reads UTF-8. */
static bool check_text(const char *what, const char *text, GError **error)
{
	bool ok = !text || g_utf8_validate(text, -1, NULL);

	for (const char *c = text; ok && c && *c; c++)
		ok = (unsigned char)*c >= ' ' || *c == '\t' || *c == '\n';
	return ok || lab_fail(error, LAB_ERROR_UNSUPPORTED,
			      "%s holds a character that a libvirt domain cannot have", what);
}

static bool check_texts(const struct libvirt_domain *d, GError **error)
{
	bool ok = check_text("the domain's name", d->name, error) &&
		  check_text("the emulator's path", d->emulator, error) &&
		  check_text("the kernel's path", d->kernel, error) &&
		  check_text("the initramfs's path", d->initrd, error) &&
		  check_text("the kernel's command line", d->append, error) &&
		  check_text("the CPU model", d->cpu_model, error) &&
		  check_text("the plugin's argument", d->plugin, error);

	for (const char *const *arg = d->extra; ok && arg && *arg; arg++)
		ok = check_text("an argument of QEMU's", *arg, error);
	return ok;
}

char *libvirt_xml(const struct libvirt_domain *d, GError **error)
{
	xmlBufferPtr buffer;
	xmlTextWriterPtr w;
	char *ret;

	if (!check_texts(d, error))
		return NULL;
	buffer = xmlBufferCreate();
	w = xmlNewTextWriterMemory(buffer, 0);
	if (!w)
		g_error("no memory for a domain's XML");
	xmlTextWriterSetIndent(w, 1);
	xmlTextWriterStartDocument(w, NULL, NULL, NULL);
	write_domain(w, d);
	xmlTextWriterEndDocument(w);
	xmlFreeTextWriter(w);
	ret = g_strdup((const char *)xmlBufferContent(buffer));
	xmlBufferFree(buffer);
	return ret;
}

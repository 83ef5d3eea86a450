<?xml version="1.0"?>
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
<!-- Makes the man page of a fence agent from its metadata. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:import href="../ocf/metadata-to-man.xsl"/>
<xsl:output method="text" encoding="UTF-8"/>

<xsl:template match="/resource-agent">
  <xsl:text>.TH FENCE_RBD 8 "" "understudy" "Fence agents"&#10;.SH NAME&#10;</xsl:text>
  <xsl:value-of select="@name"/><xsl:text> \- </xsl:text>
  <xsl:call-template name="escape"><xsl:with-param name="text" select="@shortdesc"/></xsl:call-template>
  <xsl:text>&#10;.SH SYNOPSIS&#10;.B </xsl:text><xsl:value-of select="@name"/>
  <xsl:text>&#10;[\fIoption\fR]...&#10;.PP&#10;Without options it reads NAME=VALUE lines from standard input, as Pacemaker gives them.&#10;</xsl:text>
  <xsl:text>.SH DESCRIPTION&#10;</xsl:text>
  <xsl:call-template name="paragraphs"><xsl:with-param name="text" select="longdesc"/></xsl:call-template>
  <xsl:text>.SH PARAMETERS&#10;</xsl:text>
  <xsl:apply-templates select="parameters/parameter"/>
  <xsl:text>.SH SEE ALSO&#10;.BR understudy (8),&#10;.BR stonith_admin (8),&#10;.BR pcs (8)&#10;</xsl:text>
</xsl:template>

<xsl:template name="paragraphs">
  <xsl:param name="text"/>
  <xsl:choose>
    <xsl:when test="contains($text, '&#10;&#10;')">
      <xsl:call-template name="line"><xsl:with-param name="text" select="substring-before($text, '&#10;&#10;')"/></xsl:call-template>
      <xsl:text>.PP&#10;</xsl:text>
      <xsl:call-template name="paragraphs">
        <xsl:with-param name="text" select="substring-after($text, '&#10;&#10;')"/>
      </xsl:call-template>
    </xsl:when>
    <xsl:otherwise>
      <xsl:call-template name="line"><xsl:with-param name="text" select="$text"/></xsl:call-template>
    </xsl:otherwise>
  </xsl:choose>
</xsl:template>

<xsl:template match="parameter">
  <xsl:text>.TP&#10;.B </xsl:text>
  <xsl:call-template name="escape"><xsl:with-param name="text" select="getopt/@mixed"/></xsl:call-template>
  <xsl:text>&#10;</xsl:text>
  <xsl:call-template name="line"><xsl:with-param name="text" select="shortdesc"/></xsl:call-template>
  <xsl:text>.br&#10;(</xsl:text>
  <xsl:call-template name="escape"><xsl:with-param name="text" select="@name"/></xsl:call-template>
  <xsl:if test="content/@default != ''">
    <xsl:text>; default </xsl:text>
    <xsl:call-template name="escape"><xsl:with-param name="text" select="content/@default"/></xsl:call-template>
  </xsl:if>
  <xsl:text>)&#10;</xsl:text>
</xsl:template>
</xsl:stylesheet>

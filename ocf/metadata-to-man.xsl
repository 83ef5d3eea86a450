<?xml version="1.0"?>
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
<!-- Makes the man page of a resource agent from its metadata. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text" encoding="UTF-8"/>

<xsl:template name="escape">
  <!-- roff takes a backslash, and a dot or quote at the beginning of a line, for its own. -->
  <xsl:param name="text"/>
  <xsl:choose>
    <xsl:when test="contains($text, '-')">
      <xsl:value-of select="substring-before($text, '-')"/>
      <xsl:text>\-</xsl:text>
      <xsl:call-template name="escape">
        <xsl:with-param name="text" select="substring-after($text, '-')"/>
      </xsl:call-template>
    </xsl:when>
    <xsl:otherwise><xsl:value-of select="$text"/></xsl:otherwise>
  </xsl:choose>
</xsl:template>

<xsl:template name="line">
  <xsl:param name="text"/>
  <xsl:text>\&amp;</xsl:text>
  <xsl:call-template name="escape"><xsl:with-param name="text" select="normalize-space($text)"/></xsl:call-template>
  <xsl:text>&#10;</xsl:text>
</xsl:template>

<xsl:template match="/resource-agent">
  <xsl:text>.TH OCF_UNDERSTUDY_</xsl:text><xsl:value-of select="@name"/>
  <xsl:text> 7 "" "understudy </xsl:text><xsl:value-of select="@version"/><xsl:text>" "OCF resource agents"&#10;</xsl:text>
  <xsl:text>.SH NAME&#10;ocf_understudy_</xsl:text><xsl:value-of select="@name"/><xsl:text> \- </xsl:text>
  <xsl:value-of select="normalize-space(shortdesc)"/><xsl:text>&#10;</xsl:text>
  <xsl:text>.SH DESCRIPTION&#10;</xsl:text>
  <xsl:call-template name="line"><xsl:with-param name="text" select="longdesc"/></xsl:call-template>
  <xsl:text>.SH PARAMETERS&#10;</xsl:text>
  <xsl:apply-templates select="parameters/parameter"/>
  <xsl:text>.SH ACTIONS&#10;Shortest time\-outs that should be set for the operations:&#10;</xsl:text>
  <xsl:apply-templates select="actions/action"/>
  <xsl:text>.SH SEE ALSO&#10;.BR understudy (8),&#10;.BR pcs (8),&#10;.BR crm (8),&#10;.BR crm_mon (8)&#10;</xsl:text>
</xsl:template>

<xsl:template match="parameter">
  <xsl:text>.TP&#10;.B </xsl:text><xsl:value-of select="@name"/><xsl:text>&#10;</xsl:text>
  <xsl:call-template name="line"><xsl:with-param name="text" select="concat(shortdesc, '. ', longdesc)"/></xsl:call-template>
  <xsl:text>.br&#10;(</xsl:text>
  <xsl:choose>
    <xsl:when test="@required = '1'">required</xsl:when>
    <xsl:when test="content/@default != ''">default <xsl:call-template name="escape"><xsl:with-param name="text" select="content/@default"/></xsl:call-template></xsl:when>
    <xsl:otherwise>not set by default</xsl:otherwise>
  </xsl:choose>
  <xsl:if test="@unique-group">; its own for every resource</xsl:if>
  <xsl:if test="@reloadable = '1'">; can be changed while the resource runs</xsl:if>
  <xsl:text>)&#10;</xsl:text>
</xsl:template>

<xsl:template match="action">
  <xsl:text>.TP&#10;.B </xsl:text><xsl:call-template name="escape"><xsl:with-param name="text" select="@name"/></xsl:call-template>
  <xsl:text>&#10;time\-out </xsl:text><xsl:value-of select="@timeout"/>
  <xsl:if test="@interval">, interval <xsl:value-of select="@interval"/></xsl:if>
  <xsl:if test="@depth &gt; 0">, OCF_CHECK_LEVEL <xsl:value-of select="@depth"/></xsl:if>
  <xsl:text>&#10;</xsl:text>
</xsl:template>
</xsl:stylesheet>
